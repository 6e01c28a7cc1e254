"""Hides the private values in the raw text of a refused record, so that quarantine tells nobody what tables do not."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from nightlake.core.header import extra_names, source_names
from nightlake.core.pipeline import Dataset
from nightlake.core.readers.csv_record import dialect_of, read_record
from nightlake.core.readers.json_record import declared_names
from nightlake.core.source import CsvSource
from nightlake.core.sources import AnySource

MASK: Final = "***"
WITHHELD: Final = "(withheld: what could not be read may hold private values)"
_UNREADABLE: Final = (ValueError, RecursionError, csv.Error)


@dataclass(frozen=True)
class Mask:
    """Hides the private values in the raw text of a record; `header` are the fields of delimited text."""

    dataset: Dataset
    source: AnySource
    header: tuple[str, ...]

    def whole(self, raw: str) -> str:
        """The text of a record that could not be read, which is withheld where it may hold private values."""
        return WITHHELD if self._private else raw

    def fields(self, raw: str) -> str:
        """The text of a record that could be read, its private values masked."""
        if not self._private:
            return raw
        try:
            return self._delimited(raw, self.source) if isinstance(self.source, CsvSource) else self._object(raw)
        except _UNREADABLE:
            return WITHHELD  # rather than show what is not understood

    @cached_property
    def _private(self) -> list[str]:
        names = source_names(self.source, self.dataset)
        return [names[column.name] for column in self.dataset.columns if column.private]

    def _delimited(self, raw: str, source: CsvSource) -> str:
        dialect = dialect_of(source)
        record = read_record(raw.encode(dialect.encoding), 0, dialect, len(self.header), final=True)
        if record is None or record.kind != "row":
            raise ValueError("is not the record that it was")
        hidden = {*self._private, *extra_names(self.header, self.source, self.dataset)}
        text = io.StringIO(newline="")
        line_end = "\r\n"  # csv quotes the fields that have one of these
        masked = (MASK if name in hidden else field for name, field in zip(self.header, record.fields, strict=True))
        csv.writer(text, lineterminator=line_end, **_format(source)).writerow(masked)
        return text.getvalue().removesuffix(line_end)

    def _object(self, raw: str) -> str:
        record = _object(raw)
        for name in self._private:
            *path, last = name.split(".")
            part: Any = record
            for step in path:
                part = part.get(step) if isinstance(part, dict) else None
            for place, key in ((record, name), (part, last)):  # a name may have dots of its own
                if isinstance(place, dict) and key in place:
                    place[key] = MASK
        for name in record.keys() - declared_names(self.source, self.dataset):
            record[name] = MASK
        return json.dumps(record, ensure_ascii=False)


def kept_fields(raw: str, source: AnySource, header: Sequence[str]) -> dict[str, Any]:
    """By name what the text of a record says that `Mask.fields` returned; empty where it is no such text any more."""
    try:
        if not isinstance(source, CsvSource):
            return _object(raw)
        fields = next(csv.reader(io.StringIO(raw, newline=""), **_format(source)), [])
        return dict(zip(header, fields, strict=True))
    except _UNREADABLE:
        return {}


def _format(source: CsvSource) -> dict[str, Any]:
    """How the text of a record is written, as the module csv calls it."""
    return {
        "delimiter": source.delimiter,
        "quotechar": source.quote,
        "quoting": csv.QUOTE_MINIMAL if source.quote else csv.QUOTE_NONE,
        "doublequote": source.escape == "doubled",
        "escapechar": "\\" if source.escape == "backslash" else None,
    }


def _object(raw: str) -> dict[str, Any]:
    record = json.loads(raw, parse_float=str, parse_int=str)  # as texts they keep all their digits
    if not isinstance(record, dict):
        raise ValueError("is not the record that it was")  # noqa: TRY004 (caught with what json raises)
    return record
