"""Extracts one day from an API: asks for all pages, and lands the answers as they came, before anybody reads rows.

An extraction is a folder of the raw bucket: objects of JSON Lines, one envelope an answer, `progress.json` while it
goes on, and a manifest once it is complete. What has no manifest is no delivery. It goes on where it stopped: a
function has minutes, an API may take hours.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nightlake.core import layout
from nightlake.core.delivery import Delivery
from nightlake.core.errors import (
    AnswerNotJsonError,
    AnswerShapeError,
    AnswersIncompleteError,
    AnswerTruncatedError,
    ApiRefusedError,
    ExtractionTakenError,
    HeaderMismatchError,
    PageRepeatedError,
    RecordsMovedError,
    TooManyPagesError,
    TotalChangedError,
)
from nightlake.core.frozen import Frozen
from nightlake.core.http_answer import decode
from nightlake.core.http_caller import NOT_FOUND, Caller, PausedError, told
from nightlake.core.http_columns import split_columns
from nightlake.core.http_exchange import Clock, Fetch, HttpAnswer, HttpRequest, answer_seconds
from nightlake.core.http_pages import Question, Trail, counted, first_question, next_question, numbered
from nightlake.core.http_paging import CursorPages, LinkedPages, NumberedPages, OffsetPages
from nightlake.core.http_reading import NOTHING, Reading, digest, read_answer
from nightlake.core.http_source import HttpSource
from nightlake.core.http_text import filled
from nightlake.core.parallel import each
from nightlake.core.pipeline import Dataset
from nightlake.core.plan import Request
from nightlake.core.shard import SourceObject
from nightlake.core.store import PreconditionFailedError, Store

LAND_BYTES: Final = 16 << 20
_LAND_SECONDS: Final = 120
_RESERVE_SECONDS: Final = 200  # of a function's time, for landing and for Plan itself: below what is "near its timeout"
_AT_ONCE_BYTES: Final = 64 << 20
_ANEW: Final = 2
_GOES_ON_FOR: Final = timedelta(hours=6)  # a day that is put together from answers of different hours is none
_NO_CONTENT: Final = 204
_KEPT: Final = ("content-type", "date", "etag", "last-modified", "link")
_QUESTION: Final = {"url", "query", "body", "headers", "each", "pages", "split", "records", "layout"}
_PROGRESS: Final = "progress.json"
_MANIFEST: Final = "manifest.json"
_MOVED: Final = (TotalChangedError, AnswersIncompleteError, RecordsMovedError)  # the data, while it was read


@dataclass(frozen=True)
class _Got:
    """One answer that was read, where it came from in the end, and when."""

    read: Reading
    answer: HttpAnswer
    url: str
    at: datetime


class Landed(Frozen):
    """One object of landed answers, and how many records the answers in it have."""

    object: SourceObject
    answers: int
    records: int


class Manifest(Frozen):
    """A complete extraction; `asked` is a digest of what was asked for. Times are ISO 8601."""

    asked: str
    began_at: str
    completed_at: str
    objects: tuple[Landed, ...]

    @property
    def delivery(self) -> Delivery:
        """What was landed."""
        return Delivery(
            objects=tuple(landed.object for landed in self.objects),
            missing="",
            records=tuple(landed.records for landed in self.objects),
        )


class Progress(Frozen):
    """How far an extraction is. `since` is when the run `run_id` first looked, `not_before` what the API asked for.

    It is not the first one when all pages had to be read `anew`; one that has `ended` nobody goes on with.
    """

    asked: str
    run_id: str
    since: str
    began_at: str
    anew: int = 0
    ended: bool = False
    not_before: str | None = None
    objects: tuple[Landed, ...] = ()
    trail: Trail = Trail()


def extract_http(
    source: HttpSource,
    request: Request,
    now: datetime,
    *,
    dataset: Dataset,
    raw: Store,
    fetch: Fetch,
    clock: Clock,
    seconds: float = 900.0,
    land_bytes: int = LAND_BYTES,
) -> Delivery:
    """The complete extraction of the day: one that is there, unless its digest is `request.previous`, or a new one.

    It ends some minutes before `seconds` have passed; then, and where the API asks to wait, `missing` says so. Raises
    ApiUnavailableError, ApiUnauthorizedError, ApiRefusedError, AnswerNotJsonError, AnswerTruncatedError,
    AnswerTooLargeError, AnswerShapeError, AnswersIncompleteError, PageRepeatedError, TotalChangedError,
    RecordsMovedError, TooManyPagesError, HostNotAllowedError, SecretUnreadableError, ExtractionTakenError, or
    HeaderMismatchError for columns of answers that are not those of the dataset.
    """
    folders = _Folders(source, request, raw)
    found = folders.complete()
    if found is not None and found.digest != request.previous:
        return found
    folder, progress, etag = folders.open(now)
    until = clock.seconds() + max(seconds / 3, seconds - _RESERVE_SECONDS - answer_seconds(source))
    while True:
        caller = Caller(source, fetch, clock, now, until=until)
        work = _Extraction(
            source,
            request,
            caller,
            folder,
            progress,
            dataset=dataset,
            etag=etag,
            raw=raw,
            until=until,
            bound=land_bytes,
        )
        try:
            return work.run()
        except _MOVED:
            work.end()
            if progress.anew >= _ANEW:
                raise
        folder, etag = folders.next(), None
        progress = progress.model_copy(update={"objects": (), "trail": Trail(), "anew": progress.anew + 1})


class _Folders:
    """The extractions of one source and day: folders that are numbered."""

    def __init__(self, source: HttpSource, request: Request, raw: Store) -> None:
        self._raw = raw
        self._prefix = layout.extractions(request.pipeline, request.dataset, request.date)
        self._request = request
        self._asked = digest(source.model_dump_json(include=_QUESTION, exclude_defaults=True))
        self._keys = [info.key for info in raw.list(self._prefix)]

    def _numbers(self) -> list[int]:
        names = {key.removeprefix(self._prefix).partition("/")[0] for key in self._keys}
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def _folder(self, number: int) -> str:
        return f"{self._prefix}{number:04}/"

    def next(self) -> str:
        """A folder that nobody has used."""
        folder = self._folder(max(self._numbers(), default=0) + 1)
        self._keys.append(f"{folder}{_PROGRESS}")
        return folder

    def complete(self) -> Delivery | None:
        """The newest complete extraction of what is asked for now, if its objects are still there."""
        for number in reversed(self._numbers()):
            if f"{self._folder(number)}{_MANIFEST}" not in self._keys:
                continue
            manifest = self._raw.get_model(f"{self._folder(number)}{_MANIFEST}", Manifest)
            if manifest.asked == self._asked:
                objects = (landed.object for landed in manifest.objects)
                there = all(self._raw.head(item.key, item.version_id) is not None for item in objects)
                return manifest.delivery if there else None
        return None

    def open(self, now: datetime) -> tuple[str, Progress, str | None]:
        """The newest extraction, where it is one to go on with, else a new one: folder, progress and its ETag."""
        run_id, since = self._request.run_id, now.isoformat()
        for number in self._numbers()[-1:]:
            folder = self._folder(number)
            found = self._raw.find_model(f"{folder}{_PROGRESS}", Progress)
            if found is None or f"{folder}{_MANIFEST}" in self._keys or found[0].asked != self._asked:
                break
            progress, etag = found
            if progress.ended or datetime.fromisoformat(progress.began_at) + _GOES_ON_FOR < now:
                break
            ours = progress.run_id == self._request.run_id
            return folder, progress if ours else progress.model_copy(update={"run_id": run_id, "since": since}), etag
        return self.next(), Progress(asked=self._asked, run_id=run_id, since=since, began_at=since), None


class _Extraction:
    """One extraction, as far as it goes in one function's time."""

    def __init__(
        self,
        source: HttpSource,
        request: Request,
        caller: Caller,
        folder: str,
        progress: Progress,
        *,
        dataset: Dataset,
        etag: str | None,
        raw: Store,
        until: float,
        bound: int,
    ) -> None:
        """`etag` is that of `progress` as it lies there; `until` the second to stop at; `bound` bytes are landed."""
        self._source = source
        self._request = request
        self._caller = caller
        self._folder = folder
        self._progress = progress
        self._etag = etag
        self._columns = split_columns(source, dataset)
        self._raw = raw
        self._until = until
        self._bound = bound
        self._items = source.each or ({},)
        self._key = source.pages.key if isinstance(source.pages, NumberedPages) else None
        self._trail = progress.trail
        self._lines: list[bytes] = []
        self._waiting = 0
        self._records = 0
        self._landed_at = caller.clock.seconds()
        self._largest = 0

    def run(self) -> Delivery:
        """The delivery; not complete where time is up, or where the API asks to wait."""
        not_before = self._progress.not_before
        wait = (datetime.fromisoformat(not_before) - self._caller.now).total_seconds() if not_before else 0
        if wait > 0:
            return self._paused(f"the API asked to wait until {not_before}", wait)
        self._save()
        try:
            for _ in self._answers():
                late = self._caller.clock.seconds() > self._landed_at + _LAND_SECONDS
                if late or self._waiting >= self._bound:
                    self._land()
                if self._caller.clock.seconds() >= self._until:
                    self._land()
                    return self._paused(f"the answers from {self._told_trail()} on: it goes on at once", 1)
        except PausedError as pause:
            self._land()
            if pause.seconds is not None:
                until = self._caller.now + timedelta(seconds=pause.seconds)
                self._save(not_before=until.isoformat())
            return self._paused(str(pause), pause.seconds)
        except _MOVED:
            raise
        except Exception:
            self._land()
            raise
        self._land()
        return self._finish()

    def end(self) -> None:
        """Let nobody go on here: it is complete, or the data moved while it was read."""
        self._progress = self._progress.model_copy(update={"ended": True})
        self._save()

    def _told_trail(self) -> str:
        return f"item {self._trail.item + 1} of {len(self._items)}, page {self._trail.page + 1}"

    def _paused(self, missing: str, seconds: float | None) -> Delivery:
        return Delivery(
            objects=tuple(landed.object for landed in self._progress.objects),
            missing=missing,
            wait_seconds=None if seconds is None else max(1, -int(-seconds // 1)),
            since=datetime.fromisoformat(self._progress.since),
        )

    def _answers(self) -> Iterator[None]:
        """Ask for all that is left; stops after each answer, or those that came at once."""
        while self._trail.item < len(self._items):
            while requests := self._due():
                gained = each(self._get, requests, workers=len(requests))
                for request, got in zip(requests, gained, strict=True):
                    self._take(request, got)
                yield
            self._check_total()
            self._trail = Trail(item=self._trail.item + 1)

    def _due(self) -> list[HttpRequest]:
        """The requests that can be made now; none when the item is complete."""
        trail, item = self._trail, self._items[self._trail.item]
        first = first_question(self._source, self._request.date, item)
        if trail.page == 0 and trail.last is None:
            questions = {1: first}
        elif isinstance(self._source.pages, NumberedPages) and trail.last is not None:
            questions = {page: numbered(self._source.pages, first, page) for page in self._due_pages(trail.last)}
        else:
            questions = {} if trail.next is None else {trail.page + 1: Question(trail.next, trail.body)}
        headers = {name: filled(value, self._request.date, item) for name, value in self._source.headers.items()}
        return [HttpRequest(question.url, headers, item, page, question.body) for page, question in questions.items()]

    def _due_pages(self, last: int) -> range:
        """The numbers of the pages that can be asked for now, of so many."""
        trail = self._trail
        at_once = max(1, min(self._source.connections, _AT_ONCE_BYTES // max(1, self._largest)))
        if self._key is not None and trail.page == 0 and trail.final is None:
            return range(last, last + 1)
        if self._key is not None and trail.page < last - 1:
            last -= 1  # it is asked for once all others have been answered
        return range(trail.page + 1, min(trail.page + at_once, last) + 1)

    def _get(self, request: HttpRequest) -> "_Got | None":
        """The answer; None where there is no such page, and nobody has said that there is one."""
        pages = self._source.pages
        nothing = frozenset(self._source.empty_statuses)
        if request.page > 1:
            unknown = isinstance(pages, NumberedPages | OffsetPages) and not pages.paths
            nothing = nothing | {NOT_FOUND} if unknown else frozenset()

        def read(answer: HttpAnswer, url: str) -> "_Got | None":
            if request.page > 1 and answer.status in nothing:
                return None
            if answer.status in nothing or (answer.status == _NO_CONTENT and not answer.body):
                return _Got(NOTHING, answer, url, self._caller.now)
            return self._read(request, answer, url)

        return self._caller.get(request, read, good=nothing)

    def _read(self, request: HttpRequest, answer: HttpAnswer, url: str) -> "_Got":
        where = told(request)
        text = self._caller.fetch.hide(decode(answer.body, answer.headers.get("content-type", ""), where=where))
        try:
            read = read_answer(self._source, self._columns, text, answer.headers, where=where)
        except (
            AnswerShapeError,
            AnswerNotJsonError,
            AnswerTruncatedError,
            ApiRefusedError,
            HeaderMismatchError,
        ) as error:
            kept = self._keep_refused(request, answer, text)
            raise type(error)(f"{error} (it lies in {kept})") from None
        return _Got(read, answer, url, self._caller.now)

    def _keep_refused(self, request: HttpRequest, answer: HttpAnswer, text: str) -> str:
        """Let a person see what was answered; where that is."""
        key = f"{self._folder}refused.jsonl"
        line = self._envelope(request, answer, text, 0, self._caller.now)
        self._raw.put(key, line, content_type="application/jsonl")
        return f"s3://{self._raw.bucket}/{key}"

    def _take(self, request: HttpRequest, got: "_Got | None") -> None:
        """Count an answer, and hold it until it is landed."""
        trail, where = self._trail, told(request)
        if got is None:
            self._trail = trail.model_copy(update={"next": None})
            return
        read, found = got.read, got.read.found
        empty = not read.text
        trail = trail if empty else counted(self._source, trail, found, where=where)
        if read.lacks_records and not (empty or self._source.records_optional or trail.total == 0):
            raise AnswerShapeError(
                f"{where} has null where its records should be ({self._source.records!r}); ask the API's owner"
            )
        if self._key is not None and trail.page == 0 and trail.final is None and trail.last not in (None, 1):
            # Pages are only looked at, to see what the last one has before any is taken.
            final = read.keys(self._key) if request.page == trail.last else None
            self._trail = trail.model_copy(update={"final": final})
            return
        trail = trail.model_copy(
            update={
                "page": trail.page + 1,
                "records": trail.records + found.count,
                "seen": self._seen(trail, read, where),
                "keys": self._keys(trail, read, where),
            }
        )
        own = Question(request.url, request.body)
        following = None
        if not empty or trail.last is not None:
            following = next_question(
                self._source,
                trail,
                found,
                question=own._replace(url=got.url) if isinstance(self._source.pages, LinkedPages) else own,
                links=got.answer.headers.get("link", ""),
                official=self._caller.fetch.official,
                where=where,
            )
        self._check_pages(trail, following, where)
        self._trail = trail.model_copy(
            update={
                "next": following and following.url,
                "body": following and following.body,
                "asked": self._asked(trail, own, following, where),
            }
        )
        self._largest = max(self._largest, len(read.text))
        lines = [self._envelope(request, got.answer, part.text, part.found.count, got.at) for part in read.parts]
        self._lines += lines
        self._waiting += sum(map(len, lines))
        self._records += read.records

    def _seen(self, trail: Trail, read: Reading, where: str) -> tuple[str, ...]:
        """The digests of all pages with this one."""
        if self._source.pages is None or not read.found.count:
            return trail.seen
        span = read.found.records
        records = digest(read.text[span.start : span.end])
        if records in trail.seen:
            raise PageRepeatedError(
                f"{where} has the very records of page {trail.seen.index(records) + 1}; see whether the API knows the "
                "parameters of `pages`"
            )
        return (*trail.seen, records)

    def _keys(self, trail: Trail, read: Reading, where: str) -> tuple[str, ...]:
        """The keys of this page. Raises RecordsMovedError."""
        if self._key is None:
            return ()
        keys = read.keys(self._key)
        if not set(keys).isdisjoint(trail.keys):
            raise RecordsMovedError(f"{where} has a record that was on the page before; ask when the data rests")
        if trail.page + 1 == trail.last and trail.final not in (None, keys):
            raise RecordsMovedError(
                f"{where} has other records than before the other pages were read; ask when the data rests"
            )
        return keys

    def _asked(self, trail: Trail, own: Question, following: Question | None, where: str) -> tuple[str, ...]:
        """Digests of all questions, where an answer says the next one: it may lead in a circle."""
        if not isinstance(self._source.pages, CursorPages | LinkedPages):
            return ()
        asked = (*trail.asked, digest("\n".join(filter(None, own))))
        leads = None if following is None else digest("\n".join(filter(None, following)))
        if leads in asked:
            raise PageRepeatedError(f"{where} leads to page {asked.index(leads) + 1} again; ask the API's owner")
        return asked

    def _check_pages(self, trail: Trail, following: Question | None, where: str) -> None:
        pages = self._source.pages
        if pages is not None and following is not None and max(trail.page + 1, trail.last or 0) > pages.limit:
            raise TooManyPagesError(
                f"{where}: there are more than {pages.limit:,} pages; raise the `limit` of `pages`, or its `size`"
            )

    def _check_total(self) -> None:
        trail = self._trail
        if trail.total not in (None, trail.records):
            item = self._items[trail.item]
            where = f"{self._source.url}{f' for {dict(item)}' if item else ''}"
            raise AnswersIncompleteError(
                f"{where} says that there are {trail.total:,} records, its {trail.page:,} pages have "
                f"{trail.records:,}; ask the API's owner"
            )

    def _envelope(self, request: HttpRequest, answer: HttpAnswer, text: str, records: int, at: datetime) -> bytes:
        """The line that is landed: what was asked, and the body as it came."""
        envelope = {
            "url": request.url,
            "request": dict(request.item),
            "page": request.page,
            **({} if request.body is None else {"posted": request.body}),
            "status": answer.status,
            "headers": {
                name: self._caller.fetch.hide(answer.headers[name]) for name in _KEPT if name in answer.headers
            },
            "fetched_at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "records": records,
            "body": text,
        }
        try:
            return json.dumps(envelope, ensure_ascii=False).encode() + b"\n"
        except UnicodeEncodeError:
            return json.dumps(envelope).encode() + b"\n"

    def _land(self) -> None:
        """Put what is held into the raw bucket, and note how far that is."""
        if self._lines:
            key = f"{self._folder}answers-{len(self._progress.objects) + 1:06}.jsonl"
            body = b"".join(self._lines)
            etag = self._raw.put(key, body, content_type="application/jsonl")
            info = self._raw.head(key)
            if info is None or info.etag != etag:
                raise self._taken()
            item = SourceObject(key=key, version_id=info.version_id, etag=etag, size=info.size)
            landed = Landed(object=item, answers=len(self._lines), records=self._records)
            self._progress = self._progress.model_copy(update={"objects": (*self._progress.objects, landed)})
            self._lines, self._waiting, self._records = [], 0, 0
        self._landed_at = self._caller.clock.seconds()
        self._save()

    def _save(self, not_before: str | None = None) -> None:
        self._progress = self._progress.model_copy(update={"trail": self._trail, "not_before": not_before})
        try:
            self._etag = self._raw.put_model(
                f"{self._folder}{_PROGRESS}", self._progress, if_match=self._etag, if_none_match=self._etag is None
            )
        except PreconditionFailedError as error:
            raise self._taken() from error

    def _taken(self) -> ExtractionTakenError:
        return ExtractionTakenError(
            f"s3://{self._raw.bucket}/{self._folder} is written by somebody else; it goes on from what is there"
        )

    def _finish(self) -> Delivery:
        manifest = Manifest(
            asked=self._progress.asked,
            began_at=self._progress.began_at,
            completed_at=self._caller.now.isoformat(),
            objects=self._progress.objects,
        )
        self._raw.put_model(f"{self._folder}{_MANIFEST}", manifest)
        self.end()
        return manifest.delivery
