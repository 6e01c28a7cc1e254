"""Which plot a report gets: the one that its SQL file asks for, or the one that suits its columns.

A file asks in a comment line at its head: `-- plot: line x=sold_on y=revenue,average_7_days`,
`-- plot: bar x=department y=revenue`, `-- plot: line x=logged_hour y=errors by=city`, or `-- plot: none`. A row of all
the others is left out by `total=all`, the text that it has where they have their names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from nightlake.core.frozen import Frozen
from nightlake.core.query_result import NUMBERS, ResultColumn
from nightlake.core.report import Json
from nightlake.core.report_parameters import Header

Kind = Literal["number", "time", "text", "other"]

MAX_BARS: Final = 30
MAX_SERIES: Final = 10
_FEW: Final = 2
_TIMES: Final = ("date", "timestamp")
_TEXTS: Final = ("varchar", "char", "string")
# Numbers that name something or order the rows: a plot of them says nothing.
_NAMES: Final = re.compile(r"(.*_)?(id|key|rank|year|month|day|number)")


class Plot(Frozen):
    """Lines over time, one for each column `y` or each value of the column `by`; or bars, as long as the one `y` says,
    one for each value of the column `x`. A row is not drawn that has the text `total` there, or in the column `by`.
    """

    kind: Literal["line", "bar"]
    x: str
    y: tuple[str, ...]
    by: str | None = None
    total: str | None = None


def kind_of(athena_type: str) -> Kind:
    """What a column of this type is to a plot and to a table."""
    name = athena_type.partition("(")[0].partition(" ")[0].lower()
    for kind, names in (("number", NUMBERS), ("time", _TIMES), ("text", _TEXTS)):
        if name in names:
            return kind  # type: ignore[return-value]
    return "other"


def is_name(column: str) -> bool:
    """Whether a number in this column names or orders something, and measures nothing."""
    return _NAMES.fullmatch(column.lower()) is not None


def choose_plot(header: Header, columns: Sequence[ResultColumn], rows: Sequence[Mapping[str, Json]]) -> Plot | None:
    """The plot of a report; none where its header wants none, or nothing suits.

    What a header asks for wrongly is for `plot_faults` to say: here it counts as not asked.
    """
    for _, asked in header.plots:
        try:
            plot = _read(asked)
        except ValueError:
            break
        if plot is None or not [*_column_faults(plot, columns)]:
            return plot
    return suiting_plot(columns, rows)


def suiting_plot(columns: Sequence[ResultColumn], rows: Sequence[Mapping[str, Json]]) -> Plot | None:
    """A line over the first time there is, else a bar for each value of the first text; of the first number after it
    that measures something. Fewer than two rows, or the same text twice, are no plot.
    """
    kinds = {column.name: kind_of(column.type) for column in columns}
    for kind, asked in (("line", "time"), ("bar", "text")):
        x = next((name for name, found in kinds.items() if found == asked), None)
        if x is None:
            continue
        y = _measure([*kinds], x, kinds)
        values = [row[x] for row in rows if row[x] is not None]
        if y is not None and len(values) >= _FEW and len({*values}) == len(values):
            return Plot(kind=kind, x=x, y=(y,))  # type: ignore[arg-type]
    return None


def plot_faults(header: Header, columns: Sequence[str]) -> Iterator[tuple[int, str]]:
    """What is wrong with the lines that ask for a plot of these columns: line, and what to do."""
    for position, (line, asked) in enumerate(header.plots):
        if position:
            yield line, "plot: stands here twice: a report has one plot, remove one"
            continue
        try:
            plot = _read(asked)
        except ValueError as error:
            yield line, f"plot: {error}"
            continue
        named = (plot.x, *plot.y, *filter(None, [plot.by])) if plot else ()
        if unknown := [name for name in named if name not in columns]:
            yield line, f"plot: the report has no column {', '.join(unknown)}: it has {', '.join(columns)}"


def _read(text: str) -> Plot | None:
    """The plot that a line asks for, None for `none`. Raises ValueError with what is wrong and what to do."""
    kind, *options = text.split() or [""]
    if kind == "none" and not options:
        return None
    if kind not in ("line", "bar"):
        raise ValueError(f"{kind!r} is no plot: write line, bar or none")
    given = dict(option.partition("=")[::2] for option in options)
    if len(given) < len(options) or given.keys() - {"x", "y", "by", "total"} or not all(given.values()):
        raise ValueError(
            "its options are not understood: write x=COLUMN y=COLUMN[,COLUMN] [by=COLUMN] [total=TEXT], each once"
        )
    if {"x", "y"} - given.keys():
        raise ValueError(f"{kind} needs x=COLUMN and y=COLUMN")
    measures = tuple(given["y"].split(","))
    if len(measures) > 1 and (kind == "bar" or "by" in given):
        raise ValueError("several y go with a line without by")
    if kind == "bar" and "by" in given:
        raise ValueError("by goes with a line")
    return Plot(
        kind="line" if kind == "line" else "bar", x=given["x"], y=measures, by=given.get("by"), total=given.get("total")
    )


def _column_faults(plot: Plot, columns: Sequence[ResultColumn]) -> Iterator[str]:
    kinds = {column.name: kind_of(column.type) for column in columns}
    yield from (name for name in (plot.x, *plot.y, *filter(None, [plot.by])) if name not in kinds)
    yield from (name for name in plot.y if kinds.get(name) != "number")
    if plot.kind == "line" and kinds.get(plot.x) not in ("time", "number"):
        yield plot.x


def _measure(names: Sequence[str], x: str, kinds: Mapping[str, Kind]) -> str | None:
    after = [*names[names.index(x) + 1 :], *names[: names.index(x)]]
    return next((name for name in after if kinds[name] == "number" and not is_name(name)), None)
