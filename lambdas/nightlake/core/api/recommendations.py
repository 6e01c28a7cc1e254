"""What is recommended to a user: the list that the champion made for them or, for who has none, what is popular."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, NamedTuple

from nightlake.core.api.condition import Condition
from nightlake.core.api.footer import Footer
from nightlake.core.api.kept import Kept
from nightlake.core.api.published import Pinned, Published, find_table, latest
from nightlake.core.api.question import types
from nightlake.core.api.ranged_file import Budget, RangedFile
from nightlake.core.api.scan import AHEAD, MEDIUM_BYTES, File, Scan
from nightlake.core.api.value import parse, to_json
from nightlake.core.column_type import ColumnType
from nightlake.core.errors import DatasetNotFoundError, InvalidParameterError, NothingPublishedError
from nightlake.core.model.declaration import Recommender
from nightlake.core.model.deliver import EVERYTHING
from nightlake.core.model.drop_off import RECOMMENDATIONS, popular_dataset
from nightlake.core.model.registry import find_answering
from nightlake.core.parallel import each
from nightlake.core.pipeline import Pipeline
from nightlake.core.store import Store

ListSource = Literal["model", "popular_in_genre", "popular"]
"""Whether the model made a list, or where its tracks are popular."""
MAX_LISTED: Final = 1000
_GROUP: Final = "group"  # the column of the groups where items declare none
_BUDGET_BYTES: Final = 1 << 28  # a day of ten million users has a file for each shard of them, whose footers are read


class Recommends(NamedTuple):
    """A pipeline whose model answers."""

    pipeline: str
    model: Recommender


@dataclass(frozen=True)
class Lake:
    """Where answers are read: the bucket, its snapshots, and what was read of it lately."""

    store: Store
    published: Published
    kept: Kept


def find_model(pipelines: Mapping[str, Pipeline], name: str | None) -> Recommends:
    """The model of the pipeline of that name; without one, the only model there is.

    Raises DatasetNotFoundError when there is none, InvalidParameterError when the name is none of theirs or several
    have one.
    """
    models = {name: known.model for name, known in pipelines.items() if known.model is not None}
    if not models:
        raise DatasetNotFoundError("No pipeline that you may read has a model, so nothing is recommended")
    if name is None and len(models) > 1:
        raise InvalidParameterError(f"pipeline: several have a model; name one of {', '.join(models)}", "pipeline")
    chosen = name if name is not None else next(iter(models))
    if chosen not in models:
        raise InvalidParameterError(
            f"pipeline={chosen}: there is none of this name with a model; there are: {', '.join(models)}", "pipeline"
        )
    return Recommends(chosen, models[chosen])


def recommend(lake: Lake, asked: Recommends, text: str, *, limit: int, genre: str | None) -> dict[str, Any]:
    """The first `limit` of what is recommended to the user whose id the text is, and where it comes from.

    All of it is of the snapshot that was published with the champion: a rollback is answered from at once, that of the
    first version (0: none is champion) with what is popular. `genre` is what somebody likes of whom the lake does not
    know it. Raises InvalidParameterError for a text that is no id,
    NothingPublishedError before the first scoring.
    """
    name, model = asked
    scored = find_answering(lake.store, name)
    if scored is None:
        raise NothingPublishedError(f"The model of '{name}' has recommended nothing yet; its first good scoring will")
    day = _Day(lake.kept, lake.published.at(scored.key), scored.date)
    user = _user(day.kinds(RECOMMENDATIONS)[model.users.key], text)
    columns = ("rank", model.items.key, *model.items.show)
    source: ListSource = "model"
    group = None
    found = day.rows(RECOMMENDATIONS, model.users.key, user, (*columns, "score")) if scored.version else []
    if not found:
        source, group = "popular_in_genre", genre or _liked(lake, name, model, user)
        found = _popular(day, model, group, columns) if group and group != EVERYTHING else []
    if not found:
        source, group = "popular", None
        found = _popular(day, model, EVERYTHING, columns)
    return {
        "pipeline": name,
        "user_id": user,
        "model_version": scored.version,
        "source": source,
        "genre": group,
        "date": scored.date.isoformat(),
        "items": found[:limit],
    }


@dataclass(frozen=True)
class _Day:
    """One day of a snapshot."""

    source: Kept
    pinned: Pinned
    day: date

    def kinds(self, table: str) -> dict[str, ColumnType]:
        """The columns of a table and their types. Raises NothingPublishedError."""
        return types(find_table(self.pinned, table, private=False)[1])

    def rows(self, dataset: str, column: str, value: object, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        """The day's rows of a table with this value in a column, as JSON has them, in the order of their ranks."""
        pinned, table = find_table(self.pinned, dataset, private=False)
        kinds = types(table)
        scan = Scan(
            self.source,
            pinned.snapshot.pipeline,
            table,
            self.day,
            self.day,
            (Condition(column, "eq", (value,)),),
            budget=Budget(_BUDGET_BYTES),
        )
        self._look_up(scan)
        found = [row for batch in scan.batches(columns) for row in batch.rows.select(columns).to_pylist()]
        found.sort(key=lambda row: row.get("rank", 0))
        return [{name: to_json(kinds[name], row[name]) for name in columns} for row in found]

    def _look_up(self, scan: Scan) -> None:
        """Read the footers of large files at the same time: but one of them say that it has nothing."""

        def read(file: File) -> None:
            content = RangedFile(self.source, file.file.key, file.file.size, Budget())
            self.source.footer(file.file.key, lambda: Footer(content, file.keys))

        large = (file for file in scan.files() if file.file.size > MEDIUM_BYTES)
        each(read, [file for file in large if self.source.known_footer(file.file.key) is None], workers=AHEAD)


def _user(kind: ColumnType, text: str) -> Any:
    try:
        return parse(kind, text)
    except ValueError as error:
        raise InvalidParameterError(f"user_id: {error}; it is a {kind}", "user_id") from None


def _popular(day: _Day, model: Recommender, group: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    found = day.rows(popular_dataset(model), model.items.group or _GROUP, group, columns)
    return [{**row, "score": None} for row in found]


def _liked(lake: Lake, name: str, model: Recommender, user: object) -> str | None:
    """What the user is known to like, by the newest that is published of users."""
    pinned = lake.published.newest(name)
    table = pinned.table(model.users.dataset) if pinned else None
    group = model.users.group
    if pinned is None or table is None or group is None or group not in types(table):
        return None
    day = _Day(lake.kept, pinned, latest(table, pinned.snapshot).day)
    rows = day.rows(model.users.dataset, model.users.key, user, (group,))
    return str(rows[0][group]) if rows and rows[0][group] else None
