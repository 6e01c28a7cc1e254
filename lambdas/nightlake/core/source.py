"""What every kind of source says, and the S3 kind: one model per format, as written in pipeline.yaml."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from nightlake.core.frozen import Frozen

BUSINESS_DATE = "business_date"
Grain = Literal["day", "month", "year"]
SMALLEST_SHARD = 64 << 10
EPOCHS = {"epoch_seconds": 1, "epoch_milliseconds": 1000}  # ticks of a second
_DATE = re.compile(r"\{date:([^{}]*)\}")
_WILDCARD = re.compile(r"[*?]")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_WHOLE_DATES = ({"Y", "m", "d"}, {"Y", "j"})


_DIGITS = {"Y": 4, "m": 2, "d": 2, "j": 3}


@cache
def _time_zones() -> frozenset[str]:
    """The zones of the pinned package: the system's own differ by machine and hold names that mean no place."""
    return frozenset((files("tzdata") / "zones").read_text("ascii").split()) - {"Factory"}


def _time_zone(name: str) -> str:
    if name not in _time_zones():
        raise ValueError(f"{name!r} is not an IANA time zone: write one such as 'UTC' or 'Europe/Berlin'")
    return name


def _path(path: str) -> str:
    dates = _DATE.findall(path)
    if len(dates) != 1 or set(_DIRECTIVE.findall(dates[0])) not in _WHOLE_DATES:
        raise ValueError(
            "the path must name the day exactly once, as in 'sales/transactions/{date:%Y/%m/%d}/*.csv', "
            "so that a rerun of an old day reads that day"
        )
    literal = _DATE.sub("", path)
    if "{" in literal or "}" in literal:
        raise ValueError("the only placeholder of a path is {date:...}: remove the other braces")
    if (
        path.startswith(("/", "{", "*", "?", "["))
        or "//" in path
        or ".." in path
        or "://" in path
        or path.endswith("/")
    ):
        raise ValueError("write an object key of the raw bucket: it begins with a folder and ends with a file pattern")
    return path


def matching(path: str) -> str:
    """The regular expression of a part of a path: `*` and `?` stand for characters of one name, never for `/`."""
    wildcards = {"*": "[^/]*", "?": "[^/]"}
    return "".join(wildcards.get(character, re.escape(character)) for character in path)


def _time_format(text: str) -> str:
    unknown = [code for code in _DIRECTIVE.findall(text) if code not in set("YmdHIMSfpzjybB%")]
    if unknown or "%" not in text:
        raise ValueError(
            f"{text!r} is not a format of Python's strptime with the directives %Y %m %d %H %M %S %f %z "
            "(also %y %j %b %B %I %p)"
        )
    return text


def _timestamp_format(text: str) -> str:
    return text if text in EPOCHS else _time_format(text)


def _distinct(spellings: tuple[str, ...]) -> tuple[str, ...]:
    spelled = tuple(spelling.strip().lower() for spelling in spellings)
    if "" in spelled or len(set(spelled)) < len(spelled):
        raise ValueError("write each spelling once; blanks around it and upper case mean nothing")
    return spelled


def _pairs(columns: object) -> object:
    """`{column: source}` as a person writes it; a list of pairs as the compiled pipeline carries it."""
    if isinstance(columns, list):
        return tuple(columns)
    if not isinstance(columns, Mapping):
        raise ValueError(f"{columns!r} renames no columns: write `column: name in the source`, or remove it")  # noqa: TRY004
    for column, source in columns.items():
        if not isinstance(source, str):
            raise ValueError(f"{source!r} is no name of {column!r} in the source: write a text, in quotes")  # noqa: TRY004
    return tuple({"column": column, "source": source} for column, source in columns.items())


Character = Annotated[str, Field(pattern=r"^[^\r\n]$")]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]
TimestampFormat = Annotated[str, AfterValidator(_timestamp_format)]
Spellings = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)]


class ColumnMapping(Frozen):
    """Where a column's values come from: a header name (which may be empty), or a dotted path into a JSON object."""

    column: str
    source: str


class Deadline(Frozen):
    """How long the night waits for a day that is not complete."""

    deadline_minutes: int = Field(
        120, ge=0, le=1440, description="Minutes after the scheduled time until which the night waits."
    )


class Ready(Deadline):
    """When a day's delivery is complete: one of `files`, `marker` or `manifest`, then quiet for `quiet_minutes`."""

    files: int | None = Field(None, ge=1, description="At least so many objects match the path.")
    marker: str | None = Field(None, min_length=1, description="An object of this name lies in the day's folder.")
    manifest: str | None = Field(
        None, min_length=1, description="An object of this name lies there and lists the others, one name a line."
    )
    quiet_minutes: int = Field(0, ge=0, le=1440, description="Nothing that matches has changed for so many minutes.")

    @model_validator(mode="after")
    def _one_sign(self) -> "Ready":
        if sum(sign is not None for sign in (self.files, self.marker, self.manifest)) != 1:
            raise ValueError("say exactly one of files, marker or manifest")
        return self


class Source(Frozen):
    """What every kind of source says. `dataset` is the key it stands under."""

    dataset: str = Field(description="The dataset that the rows belong to (the key in `sources`).")
    required: bool = Field(True, description="Whether the night fails when this source stays rejected.")
    expected_gb: float | None = Field(
        None, gt=0, description="Gigabytes (of 10^9 bytes) of a usual day, which `nightlake cost` reckons with."
    )
    columns: Annotated[tuple[ColumnMapping, ...], BeforeValidator(_pairs)] = Field(
        (), description="`column: name in the source` for columns that are called otherwise there."
    )
    partition_by: str = Field(
        BUSINESS_DATE, description="`business_date`, or a date or timestamp column: rows go to the day they belong to."
    )
    partition_grain: Grain = Field(
        "day",
        description="With a column in `partition_by`: its rows lie together by `day`, `month` or `year`, and the "
        "partition is that of the first day. Coarser than a day where a delivery has a few rows each of many days.",
    )
    newest_wins: bool = Field(
        False,
        description="With a column in `partition_by`: in a partition a row replaces those that older business dates "
        "brought with the same primary key. Without it both are there.",
    )
    on_drift: Literal["strict", "evolve", "ignore"] = Field(
        "strict",
        description="Missing and undeclared columns reject the source (`strict`), or are reported: a missing column "
        "that may be NULL is NULL, an undeclared one is left out (`ignore`) or becomes a column of text (`evolve`).",
    )
    max_quarantined_percent: float = Field(
        5.0, ge=0, le=100, description="The source fails when more of its rows than this are quarantined."
    )
    max_quarantined_rows: int | None = Field(
        None, ge=0, description="The source fails when more rows than this are quarantined, however many there are."
    )
    excess_digits: Literal["refuse", "round"] = Field(
        "refuse",
        description="What happens to a decimal with more fraction digits than its column, and to a timestamp finer "
        "than a millisecond: half rounds up.",
    )
    non_finite: Literal["refuse", "null", "keep"] = Field(
        "refuse",
        description="What NaN and Infinity are where a number is wanted: wrong, missing, or in a column of floats "
        "themselves.",
    )


class TextValues(Source):
    """How values that are written as text are read."""

    timestamp_formats: tuple[TimestampFormat, ...] = Field(
        ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
        min_length=1,
        description="Tried in turn: formats of strptime, where `%f` is 1 to 9 digits and `%z` a zone such as `Z` or "
        "`+01:00`; `epoch_seconds` or `epoch_milliseconds` for the time since 1970 in UTC.",
    )
    date_formats: tuple[TimeFormat, ...] = Field(("%Y-%m-%d",), min_length=1, description="Tried in turn (strptime).")
    timezone: TimeZone = Field("UTC", description="The zone of timestamps that name none; they are stored as UTC.")
    true_values: Spellings = Field(("true", "t", "yes", "y", "1"), description="Spellings of true, in any case.")
    false_values: Spellings = Field(("false", "f", "no", "n", "0"), description="Spellings of false, in any case.")
    nulls: tuple[str, ...] = Field(
        (), description="Texts that are a missing value; in delimited text, unless declared, the empty one."
    )
    durations: tuple[str, ...] = Field(
        (), description="Columns of whole numbers that are written as `M:SS` or `H:MM:SS`; they become seconds."
    )

    @model_validator(mode="after")
    def _two_truths(self) -> "TextValues":
        both = set(self.true_values) & set(self.false_values)
        if both:
            raise ValueError(f"{', '.join(sorted(both))} cannot be both of true_values and of false_values")
        return self


class S3Source(Source):
    """Objects that a producer puts into the raw bucket."""

    from_: Literal["s3"] = Field(alias="from", description="The kind of source.")
    path: Annotated[str, AfterValidator(_path)] = Field(
        description="Object keys in the raw bucket: the day as `{date:%Y/%m/%d}`, `*` and `?` as wildcards."
    )
    ready: Ready = Field(description="When the day's delivery is complete.")

    @model_validator(mode="after")
    def _every_day_has_its_own_sign(self) -> "S3Source":
        if self.ready.files is None and self.folder(date(2000, 1, 1)) == self.folder(date(2000, 1, 2)):
            raise ValueError(
                "a marker or manifest lies in a folder of its day: let the path name the day in folders, before any "
                "wildcard, as in 'sales/transactions/{date:%Y/%m/%d}/*.csv', or count files"
            )
        return self

    @property
    def arrivals(self) -> str:
        """What the keys look like of the objects that may make a delivery complete, `*` for any characters.

        They are those that match the path, or the marker or manifest of any day. Raises ValueError where its folder
        does not say the whole day.
        """
        return re.sub(r"[*?]+", "*", _DATE.sub("*", self._arrival))

    def day_of(self, key: str) -> date | None:
        """The day that is delivered with an object of this key; None for an object that is none of `arrivals`."""
        before, form, after = _DATE.split(self._arrival)
        known: set[str] = set()

        def digits(found: "re.Match[str]") -> str:
            code = found[1]
            if code in known:
                return f"(?P={code})"
            known.add(code)
            return rf"(?P<{code}>\d{{{_DIGITS[code]}}})"

        day = _DIRECTIVE.sub(digits, re.escape(form).replace("\\%", "%"))
        found = re.fullmatch(f"{matching(before)}{day}{matching(after)}", key, re.ASCII)
        if found is None:
            return None
        named = found.groupdict()
        try:
            return datetime.strptime("".join(named.values()), "".join(f"%{code}" for code in named)).date()  # noqa: DTZ007 (a day)
        except ValueError:
            return None

    @property
    def _arrival(self) -> str:
        sign = self.ready.marker or self.ready.manifest
        if not sign:
            return self.path
        day = next(_DATE.finditer(self.path))
        folder, slash, _ = _WILDCARD.split(self.path[day.end() :], maxsplit=1)[0].rpartition("/")
        if not slash:
            raise ValueError("a marker or manifest says its day where the folders do: end the day's part with '/'")
        return self.path[: day.end()] + folder + slash + sign

    def pattern(self, day: date) -> str:
        """The path for one day; only its wildcards are left."""
        return _DATE.sub(lambda found: day.strftime(found[1]), self.path)

    @property
    def landing(self) -> str:
        """What all keys that match on any day begin with."""
        return _WILDCARD.split(_DATE.split(self.path)[0], maxsplit=1)[0]

    def prefix(self, day: date) -> str:
        """What all keys that match on that day begin with."""
        return _WILDCARD.split(self.pattern(day), maxsplit=1)[0]

    def folder(self, day: date) -> str:
        """The folder of that day with its `/`, in which marker and manifest lie."""
        before, slash, _ = self.prefix(day).rpartition("/")
        return before + slash


class TextSource(S3Source, TextValues):
    """What all text formats say."""

    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = Field("utf-8", description="How the text is encoded.")


class LinesSource(TextSource):
    """What the text formats say whose objects can be cut between records."""

    shard_bytes: int = Field(
        256 << 20, ge=SMALLEST_SHARD, le=1 << 30, description="About so many bytes of an object are converted at once."
    )
    min_shards: int = Field(
        1, ge=1, le=1000, description="An object is cut into so many shards or more, as far as each has 64 KiB."
    )
    max_record_bytes: int = Field(
        1 << 20, ge=1 << 10, le=16 << 20, description="A record of more bytes is refused, and takes no other with it."
    )

    def shard_bytes_of(self, size: int) -> int:
        """About how many bytes a shard of an object of `size` bytes has."""
        return min(self.shard_bytes, max(SMALLEST_SHARD, -(-size // self.min_shards)))


class CsvSource(LinesSource):
    """Delimited text."""

    format: Literal["csv"] = Field(description="How the objects are written.")
    delimiter: Character = Field(",", description="One character between fields.")
    quote: Character | None = Field(
        '"', description="One character around fields that hold delimiters or line ends; null: there is none."
    )
    escape: Literal["doubled", "backslash"] = Field(
        "doubled",
        description="How a quote is written in a quoted field. With `backslash`, one before a quote, a delimiter or "
        "another backslash makes that text, in any field; before anything else it is text itself.",
    )
    trailing_delimiter: bool = Field(
        False, description="Whether a delimiter stands behind the last field, too, in every line and in the header."
    )
    stray_quotes: Literal["refuse", "keep"] = Field(
        "refuse",
        description="What a quote is in a field that begins with none: damage, or text (needs `multiline: false`).",
    )
    multiline: bool = Field(
        True, description="Whether a quoted field may hold line ends; false cuts faster, and refuses what lies."
    )
    comment: Character | None = Field(None, description="One character: lines that begin with it are skipped.")
    skip_lines: int = Field(0, ge=0, le=1000, description="So many lines before the header are skipped.")
    footer_lines: int = Field(0, ge=0, le=100, description="So many lines at an object's end are no data.")
    header: bool = Field(True, description="Whether the first record names the columns; else they stand in order.")
    nulls: tuple[str, ...] = Field(("",), description="Spellings of a missing value, in quotes or not.")
    decimal_separator: Literal[".", ","] = Field(".", description="Before the fraction digits of a number.")
    thousands_separator: Literal[",", ".", " ", "'", "\u00a0"] | None = Field(
        None, description="Between groups of three digits of a number, which may have all of its groups or none."
    )

    @model_validator(mode="after")
    def _two_separators(self) -> "CsvSource":
        if self.decimal_separator == self.thousands_separator:
            raise ValueError(f"decimal_separator and thousands_separator are both {self.decimal_separator!r}")
        return self

    @model_validator(mode="after")
    def _one_dialect(self) -> "CsvSource":
        special = {"delimiter": self.delimiter, "quote": self.quote, "comment": self.comment}
        if self.escape == "backslash":
            special["escape"] = "\\"
        seen: dict[str, str] = {}
        for name, character in special.items():
            if character is None:
                continue
            if character in seen:
                raise ValueError(f"{seen[character]} and {name} are both {character!r}: let them differ")
            seen[character] = name
            try:
                character.encode(self.encoding)
            except UnicodeEncodeError:
                raise ValueError(
                    f"{name} {character!r} cannot be written in {self.encoding}: declare another one, or the encoding"
                ) from None
        if self.stray_quotes == "keep" and self.quote is not None and self.multiline:
            raise ValueError(
                "stray_quotes: keep needs multiline: false, as nobody can tell a stray quote from one that opens a "
                "field of many lines"
            )
        return self


class JsonSource(TextSource):
    """One JSON array of objects per file."""

    format: Literal["json"] = Field(description="How the objects are written.")


class JsonLinesSource(LinesSource):
    """One JSON object per line."""

    format: Literal["jsonl"] = Field(description="How the objects are written.")


class ParquetSource(S3Source):
    """Parquet files."""

    format: Literal["parquet"] = Field(description="How the objects are written.")


AnyS3Source = Annotated[CsvSource | JsonSource | JsonLinesSource | ParquetSource, Field(discriminator="format")]
