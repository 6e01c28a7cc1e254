"""S3 that is busy, or whose answers break off, on command: said in a file of the home, done by a seam."""

from itertools import count
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, TypeAdapter

FILE = "outages.json"
"""The file of the home; a list of `Outage`s. It is looked at before every request."""


class Outage(BaseModel):
    """Requests that fail: each `every`-th of those with the method, on a key that begins so, in whatever bucket.

    slow_down: it is answered 503 and does nothing. break_off: the connection ends in the middle of the answer's body.
    It ends after so many `times`, where these are given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["slow_down", "break_off"]
    method: str
    keys: str
    every: PositiveInt = 1
    times: PositiveInt | None = None


_FILE = TypeAdapter(tuple[Outage, ...], config=ConfigDict(defer_build=True))


def order(home: Path, *outages: Outage) -> None:
    """Let requests of a local AWS fail so from now on; without outages none does."""
    new = home / f"{FILE}.new"
    new.write_bytes(_FILE.dump_json(outages))
    new.replace(home / FILE)


class Outages:
    """What was ordered in a file, counted from the moment at which it was."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._ordered: tuple[tuple[Outage, count[int]], ...] = ()

    def striking(self, method: str, key: str) -> Outage | None:
        """The outage that strikes this request, if one does."""
        for outage, met in self._current():
            if method == outage.method and key.startswith(outage.keys):
                turn, rest = divmod(next(met), outage.every)
                if not rest and (outage.times is None or turn <= outage.times):
                    return outage
        return None

    def _current(self) -> tuple[tuple[Outage, "count[int]"], ...]:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            self._seen, self._ordered = None, ()
            return self._ordered
        version = (status.st_ino, status.st_mtime_ns)
        if version != self._seen:
            ordered = _FILE.validate_json(self._file.read_bytes())
            self._seen, self._ordered = version, tuple((each, count(1)) for each in ordered)
        return self._ordered
