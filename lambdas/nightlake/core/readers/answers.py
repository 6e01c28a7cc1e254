"""Reads the answers of an HTTP API as they were landed: one JSON envelope a line, its body as it came.

Rows of all answers in an object are read as one JSON array. Columns are read one by one: as an array of Arrow where it
reads them exactly, else element by element.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

from nightlake.core.errors import JsonSyntaxError
from nightlake.core.header import check_header, extra_names, source_names
from nightlake.core.http_answer import Answer, Span, find
from nightlake.core.http_columns import split_columns
from nightlake.core.http_records import KEY, POSITION, elements
from nightlake.core.http_source import ANSWER, REQUEST, HttpSource
from nightlake.core.pipeline import Column, Dataset
from nightlake.core.readers import json_record
from nightlake.core.readers.batch import Batch, Lazy, Refused
from nightlake.core.readers.json_arrow import JsonArrow, NotParsedError
from nightlake.core.readers.json_record import DefectError
from nightlake.core.readers.json_windows import read_array
from nightlake.core.shard import Shard
from nightlake.core.source import ColumnMapping

if TYPE_CHECKING:
    import pyarrow as pa

Stream = Callable[[int, int], Iterator[bytes]]

_COLUMN_RECORDS: Final = 50_000  # of columns at once
_LINE_ENDS: Final = str.maketrans("\r\n", "  ")
_LIST: Final = "v"
_BETWEEN: Final = re.compile(r"[ \t\n\r,]*")
_ANY: Final = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True)
class _Envelope:
    """One landed answer; its records are those after number `before` of the object."""

    request: Mapping[str, Any]
    body: str
    found: Answer
    before: int
    where: str


@dataclass
class _Beside:
    """What the columns say that are no part of a record: values of the whole answer, and of what was asked for."""

    source: HttpSource
    dataset: Dataset
    ends: list[int] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source_of_records, self.of_records, self.names = split_columns(self.source, self.dataset)

    @property
    def paths(self) -> tuple[str, ...]:
        """What is looked for in an answer besides its records."""
        return tuple(path.removeprefix(ANSWER) for path in self.names.values() if path.startswith(ANSWER))

    def note(self, envelope: _Envelope) -> None:
        """Remember what this answer says."""
        self.ends.append(envelope.before + envelope.found.count)
        self.values.append(
            {
                name: envelope.request.get(path.removeprefix(REQUEST))
                if path.startswith(REQUEST)
                else envelope.found.values.get(path.removeprefix(ANSWER))
                for name, path in self.names.items()
            }
        )

    def _answers(self, positions: Sequence[int]) -> Sequence[int]:
        """Which answer each record came with."""
        if len(positions) == 0:
            return ()
        first, last = (bisect_left(self.ends, position) for position in (positions[0], positions[-1]))
        if isinstance(positions, range) and first == last:
            return [first] * len(positions)
        return [bisect_left(self.ends, position) for position in positions]

    def beside(self, batch: Batch) -> Batch:
        """The batch with these columns, in the order of the contract."""
        if not self.names:
            return batch
        answers = self._answers(batch.positions)
        said = {name: [self.values[answer][name] for answer in answers] for name in self.names}
        found = {**batch.columns, **said}
        return replace(batch, columns={column.name: found[column.name] for column in self.dataset.columns})


def read_answers(shard: Shard, source: HttpSource, dataset: Dataset, stream: Stream) -> Iterator[Batch]:
    """The records of all answers in one landed object.

    Raises AnswerShapeError or AnswerNotJsonError for what nobody would have landed, HeaderMismatchError for columns
    that the source does not take.
    """
    beside = _Beside(source, dataset)
    envelopes = _envelopes(shard, source, beside, stream)
    read = _columns if source.layout == "columns" else _rows
    for batch in read(envelopes, beside, shard.object.key):
        yield beside.beside(batch)


def _envelopes(shard: Shard, source: HttpSource, beside: _Beside, stream: Stream) -> Iterator[_Envelope]:
    before = 0
    for number, line in enumerate(_lines(stream(shard.start, shard.end)), 1):
        where = f"{shard.object.key}, answer {number}"
        try:
            landed = json.loads(line)
            body, request = landed["body"], landed["request"]
        except (ValueError, KeyError, TypeError) as error:
            raise JsonSyntaxError(f"{where} is no landed answer ({error}); extract the day anew") from None
        del landed, line
        if body:
            found = find(
                body,
                records=source.records,
                layout=source.layout,
                values=beside.paths,
                optional=source.records_optional,
                where=where,
            )
            envelope = _Envelope(request, body, found, before, where)
            beside.note(envelope)
            before += found.count
            yield envelope


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for line in whole:
            yield b"".join((*held, line))
            held = []
        held.append(rest)
    if last := b"".join(held):
        yield last


def _rows(envelopes: Iterator[_Envelope], beside: _Beside, where: str) -> Iterator[Batch]:
    records = _joined(envelopes, beside.source)
    return read_array(records, beside.source_of_records, beside.of_records, where=where)


def _joined(envelopes: Iterator[_Envelope], source: HttpSource) -> Iterator[str]:
    """The records of all answers as one array of JSON."""
    told = {KEY, POSITION} & {mapping.source for mapping in source.columns}
    between = "["
    for envelope in envelopes:
        span = envelope.found.records
        if span.count:
            yield between
            yield from elements(envelope.body, span.start, span.end, source.layout, told=told)
            between = ","
    yield "[]" if between == "[" else "]"


def _columns(envelopes: Iterator[_Envelope], beside: _Beside, _where: str) -> Iterator[Batch]:
    reader = _ColumnReader(beside.source_of_records, beside.of_records)
    for envelope in envelopes:
        yield from reader.read(envelope)


class _ColumnReader:
    """Reads answers that have a list for each column."""

    def __init__(self, source: HttpSource, dataset: Dataset) -> None:
        self._source = source
        self._dataset = dataset
        self._names = source_names(source, dataset)
        self._arrows = {column.name: _list_of(source, column) for column in dataset.columns}

    def read(self, envelope: _Envelope) -> Iterator[Batch]:
        """The records of one answer; refused is one with a value that is no JSON. Raises HeaderMismatchError."""
        spans, count = envelope.found.columns, envelope.found.count
        if not count:
            return
        check_header([*spans], self._source, self._dataset, where=envelope.where)
        extra = extra_names(spans, self._source, self._dataset)
        told = extra if self._source.on_drift == "evolve" else ()
        columns = {name: self._values(envelope.body, name, spans.get(found)) for name, found in self._names.items()}
        beside = {name: _Elements(envelope.body, spans[name]) for name in told}
        for start in range(0, count, _COLUMN_RECORDS):
            length = min(_COLUMN_RECORDS, count - start)
            rows = _Rows(
                {name: values.take(length) for name, values in columns.items()},
                {name: values.take(length) for name, values in beside.items()},
                self._names,
                range(envelope.before + start + 1, envelope.before + start + length + 1),
            )
            yield rows.batch(frozenset(extra))

    def _values(self, body: str, column: str, span: Span | None) -> "_Values":
        if span is None:
            return _Missing()
        arrow = self._arrows[column]
        if arrow.possible:
            text = f'{{"{_LIST}":{body[span.start : span.end].translate(_LINE_ENDS)}}}'
            try:
                return _Arrow(arrow.parse(text.encode(), 1)[column].flatten())
            except (NotParsedError, UnicodeEncodeError):
                pass
        return _Elements(body, span)


def _list_of(source: HttpSource, column: Column) -> JsonArrow:
    """What reads a list of a column's values."""
    listed = column.model_copy(update={"type": f"array<{column.type}>"})
    mapping = ColumnMapping(column=column.name, source=_LIST)
    return JsonArrow(source.model_copy(update={"columns": (mapping,)}), Dataset(name=_LIST, columns=(listed,)))


class _Values(Protocol):
    """The values of one column, some at a time."""

    def take(self, length: int) -> Any:
        """The next so many, as a list or an array of Arrow."""


class _Missing:
    """A column that is not there."""

    def take(self, length: int) -> list[None]:
        return [None] * length


class _Arrow:
    """Values that Arrow has read."""

    def __init__(self, values: "pa.Array") -> None:
        self._values = values
        self._at = 0

    def take(self, length: int) -> "pa.Array":
        self._at += length
        return self._values.slice(self._at - length, length)


class _Elements:
    """Values that are read one by one; a DefectError in place of one that cannot be taken."""

    def __init__(self, text: str, span: Span) -> None:
        self._text = text
        self._at = span.start + 1

    def take(self, length: int) -> list[Any]:
        return [self._next() for _ in range(length)]

    def _next(self) -> object:
        found = _BETWEEN.match(self._text, self._at)
        begin = self._at if found is None else found.end()
        try:
            value, self._at = json_record.decode(self._text, begin)
        except DefectError as defect:
            self._at = _ANY.raw_decode(self._text, begin)[1]
            return defect
        return value


@dataclass(frozen=True)
class _Rows:
    """Some records: their values by columns of the contract, and by names that it has not, to be shown."""

    columns: dict[str, Any]
    beside: dict[str, list[Any]]
    names: Mapping[str, str]
    positions: range

    def batch(self, extra: frozenset[str]) -> Batch:
        """The records; `extra` are all names that the contract has not."""
        defects = self._defects()
        kept = [row for row in range(len(self.positions)) if row not in defects]
        return Batch(
            columns=self.columns if not defects else {name: _taken(of, kept) for name, of in self.columns.items()},
            positions=self.positions if not defects else [self.positions[row] for row in kept],
            raw=Lazy(len(kept), lambda place: self._raw(kept[place])),
            offsets=[None] * len(kept),
            refused=[
                Refused(self.positions[row], (defect.rule,), (defect.reason,), self._raw(row))
                for row, defect in sorted(defects.items())
            ],
            extra_columns=extra,
        )

    def _defects(self) -> dict[int, DefectError]:
        return {
            row: value
            for values in (*self.columns.values(), *self.beside.values())
            if isinstance(values, list)
            for row, value in enumerate(values)
            if isinstance(value, DefectError)
        }

    def _raw(self, row: int) -> str:
        """The record as JSON; nobody has written it so."""
        record = {self.names[column]: values[row] for column, values in self.columns.items()}
        record |= {name: values[row] for name, values in self.beside.items()}
        return f"{{{', '.join(f'{json.dumps(name)}: {_written(value)}' for name, value in record.items())}}}"


def _taken(values: Any, rows: list[int]) -> Any:
    return [values[row] for row in rows] if isinstance(values, list) else values.take(rows)


def _written(value: Any) -> str:
    if hasattr(value, "as_py"):
        value = value.as_py()
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)
