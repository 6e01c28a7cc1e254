"""Reads a table from a file of this machine: Parquet, or text whose separator is seen in its first line."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.errors import TableUnreadableError

if TYPE_CHECKING:
    import pyarrow as pa

_SEPARATORS: Final = ("::", "\t", ";", "|", ",")


def read_table(file: Path, *, header: bool = True) -> "pa.Table":
    """Text may be compressed (.gz, .bz2); without a header its columns are called 1, 2, 3.

    Raises TableUnreadableError.
    """
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    try:
        if any(suffix.lower() in {".parquet", ".pq"} for suffix in file.suffixes):
            return pq.read_table(file)
        with pa.input_stream(str(file), compression="detect") as stream:
            text = stream.read()
        first = text.partition(b"\n")[0].decode("utf-8-sig").strip()
        separator = next((each for each in _SEPARATORS if each in first), ",")
        if len(separator) > 1:  # as in MovieLens; Arrow takes one character
            text, first = text.replace(separator.encode(), b"\t"), first.replace(separator, "\t")
            separator = "\t"
        names = None if header else [str(place + 1) for place in range(first.count(separator) + 1)]
        return pc.read_csv(
            pa.BufferReader(text), pc.ReadOptions(column_names=names), pc.ParseOptions(delimiter=separator)
        )
    except (pa.ArrowInvalid, OSError, EOFError, UnicodeDecodeError) as error:
        raise TableUnreadableError(f"{file.name} is no table, neither of text nor Parquet: {error}") from error
