"""Which code converts: rows that other code made are not taken for its own."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

_CORE: Final = Path(__file__).parent


@cache
def code_version(root: Path = _CORE) -> str:
    """SHA-256, in hex, over the names and bytes of every Python file below `root`: of nightlake.core."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
