"""Directories under .build that are named by what they are made from, and made at most once."""

import tempfile
from collections.abc import Callable
from pathlib import Path

BUILD = Path(__file__).parents[1] / ".build"


def build_once(directory: Path, make: Callable[[Path], None]) -> Path:
    """Fill `directory` by `make` unless it is there already; it appears whole or not at all.

    Several processes may build it at the same time: one of them wins and the others use what it made.
    """
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".making-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        make(made)
        try:
            made.rename(directory)
        except OSError:
            if not directory.is_dir():
                raise
    return directory
