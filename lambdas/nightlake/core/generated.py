"""Files that are made from contracts and templates, and how they stay so."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def bring_in_line(fresh: Mapping[Path, str], found: Iterable[Path], *, check: bool) -> Iterator[Path]:
    """Every file that is not as it should be, in order; mended unless `check`, and removed where nothing makes it.

    `fresh` are the texts to have, `found` the files that are there.
    """
    there = {path: path.read_text(encoding="utf-8") for path in found}
    for path in sorted(fresh.keys() | there.keys()):
        if fresh.get(path) == there.get(path):
            continue
        yield path
        if check:
            continue
        if path in fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh[path], encoding="utf-8")
        else:
            path.unlink()
