"""Files that are made from contracts and templates, and how they stay so."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def generate(
    root: Path, fresh: Mapping[Path, str], found: Iterable[Path], *, check: bool, tell: Callable[[str], object]
) -> int:
    """Mend every file below `root` that is not as it should be, and remove those that nothing makes; tell of each.

    `fresh` are the texts to have, `found` the files that are there. With `check` nothing is changed. The result is the
    exit code of the program that does it: 1 where `check` found something.
    """
    there = {path: path.read_text(encoding="utf-8") for path in found}
    stale = [path for path in sorted(fresh.keys() | there.keys()) if fresh.get(path) != there.get(path)]
    for path in stale:
        tell(f"{path.relative_to(root)} {'is stale: make docs' if check else 'brought in line'}\n")
        if check:
            continue
        if path in fresh:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh[path], encoding="utf-8")
        else:
            path.unlink()
    return 1 if check and stale else 0
