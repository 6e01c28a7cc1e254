"""Reads a table from a file of this machine, by what its name says it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.errors import TableUnreadableError

if TYPE_CHECKING:
    import pyarrow as pa

_SEPARATORS: Final = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".dat": "\t", ".txt": "\t"}


def read_table(file: Path) -> "pa.Table":
    """CSV, TSV (.tsv, .tab, .dat, .txt) or Parquet; texts may be compressed (.gz). Raises TableUnreadableError."""
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    kinds = [suffix.lower() for suffix in file.suffixes if suffix.lower() not in {".gz", ".bz2"}]
    kind = kinds[-1] if kinds else ""
    try:
        if kind in {".parquet", ".pq"}:
            return pq.read_table(file)
        if kind not in _SEPARATORS:
            raise TableUnreadableError(f"{file.name}: call it .csv, .tsv or .parquet (.csv.gz is read as well)")
        with pa.input_stream(str(file), compression="detect") as stream:
            return pc.read_csv(stream, parse_options=pc.ParseOptions(delimiter=_SEPARATORS[kind]))
    except (pa.ArrowInvalid, OSError) as error:
        raise TableUnreadableError(f"{file.name} cannot be read as {kind[1:]}: {error}") from error
