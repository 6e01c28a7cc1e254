"""Proposes a contract and a source from a sample of a file: narrow enough to be of use, safe for every row it saw."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nightlake.core.errors import NightlakeError
from nightlake.core.infer.columns import ProposedColumn, primary_key, propose_columns
from nightlake.core.infer.dialect import Format, as_bytes, csv_dialect, encoding_of, format_of
from nightlake.core.infer.excerpt import Excerpt, Stream, excerpt
from nightlake.core.infer.names import column_names
from nightlake.core.infer.nested import guess_json
from nightlake.core.infer.parquet import parquet_sample
from nightlake.core.infer.sample import Sample, csv_sample, json_sample
from nightlake.core.infer.scalars import STRING, Guess, guess_text
from nightlake.core.infer.separators import separated
from nightlake.core.pipeline import Dataset
from nightlake.core.source import (
    AnyS3Source,
    ColumnMapping,
    CsvSource,
    JsonLinesSource,
    JsonSource,
    ParquetSource,
    Ready,
    TextSource,
)
from nightlake.core.value_parser import Reading, ValueParser

Guesses = dict[str, Guess]
_DATES: Final = TextSource.model_fields["date_formats"].default
_TIMESTAMPS: Final = TextSource.model_fields["timestamp_formats"].default


class NoColumnsError(NightlakeError):
    """Raised when nothing in a file can be a column of a table."""


@dataclass(frozen=True)
class Proposal:
    """What a person edits. `left_out` are columns that no type holds; `odd` records of the sample could not be read."""

    source: AnyS3Source
    columns: tuple[ProposedColumn, ...]
    primary_key: tuple[str, ...]
    rows: int
    whole: bool
    odd: int
    left_out: tuple[str, ...]


def propose(dataset: str, size: int, stream: Stream, *, where: str, form: Format | None = None) -> Proposal:
    """The proposal for a file of `size` bytes; its format is told by content where `form` does not say it.

    Raises NoColumnsError when nothing in it can be a column, CompressedObjectError or ParquetUnreadableError.
    """
    looked_at = excerpt(size, stream, where=where)
    source, sample, guesses = _read(dataset, looked_at, size, stream, where=where, form=form)
    source, guesses = _settled(source, sample, guesses)
    if not guesses:
        raise NoColumnsError(
            f"{where}, read as {source.format}, has no columns that a table could have; say what it is with --format "
            "(JSON is one array of objects, or one object a line)"
        )
    columns = propose_columns(sample.columns, guesses, _nulls(source))
    left_out = tuple(name for name in sample.columns if name not in guesses)
    changes: dict[str, Any] = {"on_drift": "ignore"} if left_out else {}
    if _has_names(source):
        changes["columns"] = _renamed((each.name, each.source) for each in columns)
    source = source.model_copy(update=changes)
    key = primary_key(columns, dataset)
    return Proposal(source, columns, key, sample.rows, sample.whole, sample.odd, left_out)


def propose_source(dataset: Dataset, size: int, stream: Stream, *, where: str) -> AnyS3Source:
    """How a file is read whose dataset is known, by what the file looks like.

    Raises CompressedObjectError or ParquetUnreadableError.
    """
    looked_at = excerpt(size, stream, where=where)
    names = {column.name for column in dataset.columns}
    source, sample, guesses = _read(dataset.name, looked_at, size, stream, where=where, names=names)
    in_file = dict(zip(column_names(sample.columns), sample.columns, strict=True))
    called = {name: name if name in sample.columns else in_file.get(name, name) for name in names}
    typed = {
        called[column.name]: guesses[called[column.name]]
        for column in dataset.columns
        if column.type != "string" and called[column.name] in guesses
    }
    changes: dict[str, Any] = {"columns": _renamed(called.items())} if _has_names(source) else {}
    if any(name not in guesses and name not in called.values() for name in sample.columns):
        changes["on_drift"] = "ignore"  # as it is proposed where no type holds a column
    return _with(source.model_copy(update=changes), typed.values())


def _read(
    dataset: str,
    looked_at: Excerpt,
    size: int,
    stream: Stream,
    *,
    where: str,
    form: Format | None = None,
    names: Collection[str] = (),
) -> tuple[AnyS3Source, Sample, Guesses]:
    encoding = encoding_of(looked_at)
    form = form or format_of(looked_at, encoding)
    common = {
        "from": "s3",
        "dataset": dataset,
        "format": form,
        "path": f"{dataset}/{{date:%Y/%m/%d}}/*",
        "ready": Ready(files=1),
    }
    if form == "parquet":
        sample, guesses = parquet_sample(size, stream, where=where)
        return ParquetSource.model_validate(common), sample, guesses
    if form == "csv":
        csv = csv_dialect(as_bytes(looked_at.head, encoding), encoding, dataset, names, whole=looked_at.whole)
        csv, sample = _sampled(looked_at, csv)
        texts = {name: _present(values, csv.nulls) for name, values in sample.columns.items()}
        plain = {name: guess_text(counted) for name, counted in texts.items()}
        said, numbers = separated(texts, plain)
        return csv.model_copy(update=said), sample, plain | numbers
    model = JsonSource if form == "json" else JsonLinesSource
    sample = json_sample(looked_at, encoding, lines=form == "jsonl")
    found = {name: guess_json(values) for name, values in sample.columns.items() if name}
    known = {name: guess for name, guess in found.items() if guess is not None}
    return model.model_validate({**common, "encoding": encoding}), sample, known


def _sampled(looked_at: Excerpt, source: CsvSource) -> tuple[CsvSource, Sample]:
    """The rows; read without a trailing delimiter, or without quotes, where more can be read so."""
    sample = csv_sample(looked_at, source)
    for change in ({"trailing_delimiter": False}, {"quote": None}):
        if sample.odd == 0 or ("quote" in change and sample.odd <= sample.quoted):
            continue
        other = source.model_copy(update=change)
        again = csv_sample(looked_at, other)
        if again.odd < sample.odd:
            source, sample = other, again
    return source, sample


def _present(values: Iterable[Any], nulls: Collection[str]) -> Counter[str]:
    return Counter(value for value in values if value not in nulls)


def _settled(source: AnyS3Source, sample: Sample, guesses: Guesses) -> tuple[AnyS3Source, Guesses]:
    """The source that the guesses need, and the guesses that hold under it: formats of one may misread another."""
    while True:
        said = _with(source, guesses.values())
        reading, nulls = Reading.of(said), _nulls(said)
        broken = {
            name
            for name, guess in guesses.items()
            if guess.type != STRING and not _holds(guess, sample.columns[name], reading, nulls)
        }
        if not broken:
            return said, guesses
        fallback = Guess(STRING, note="what was seen is of no narrower type that all columns together allow")
        keeps_texts = isinstance(source, CsvSource)
        guesses = {
            name: fallback if name in broken else guess
            for name, guess in guesses.items()
            if name not in broken or keeps_texts
        }


def _holds(guess: Guess, values: Sequence[Any], reading: Reading, nulls: frozenset[str]) -> bool:
    """Whether all values are of the type, and moments those that their own formats say."""
    own = replace(
        reading,
        date_formats=guess.date_formats or reading.date_formats,
        timestamp_formats=guess.timestamp_formats or reading.timestamp_formats,
    )
    parser, alone = ValueParser(reading), ValueParser(own)
    distinct = dict.fromkeys(map(repr, values))
    try:
        for value in values:
            if repr(value) in distinct and not (isinstance(value, str) and value in nulls):
                del distinct[repr(value)]
                if parser.parse(guess.type, value) != alone.parse(guess.type, value):
                    return False
    except ValueError:
        return False
    return True


def _with(source: AnyS3Source, guesses: Iterable[Guess]) -> AnyS3Source:
    """The source with the formats, the words for a missing value and the rounding that the guesses need."""
    guesses = [*guesses]
    changes: dict[str, Any] = {}
    if any(guess.rounded for guess in guesses):
        changes["excess_digits"] = "round"
    if isinstance(source, TextSource):
        for name, usual in (("date_formats", _DATES), ("timestamp_formats", _TIMESTAMPS)):
            needed = dict.fromkeys(pattern for guess in guesses for pattern in getattr(guess, name))
            if needed.keys() - set(usual):
                changes[name] = tuple(needed)
    words = frozenset[str]().union(*(guess.nulls for guess in guesses))
    if isinstance(source, CsvSource) and words:
        changes["nulls"] = (*source.nulls, *sorted(words))
    return source.model_copy(update=changes)


def _nulls(source: AnyS3Source) -> frozenset[str]:
    return frozenset(source.nulls) if isinstance(source, CsvSource) else frozenset()


def _has_names(source: AnyS3Source) -> bool:
    return not isinstance(source, CsvSource) or source.header


def _renamed(names: Iterable[tuple[str, str]]) -> tuple[ColumnMapping, ...]:
    return tuple(ColumnMapping(column=name, source=source) for name, source in names if name != source)
