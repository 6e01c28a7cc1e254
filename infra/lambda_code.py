"""The code of every Lambda function, as one directory: the package `nightlake`, its compiled contracts and SQL, and the
libraries of npm that the page of a run carries.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import nightlake
from nightlake.core.errors import NightlakeError
from nightlake.core.page.assets import LIBRARIES, files_of
from nightlake.core.pipeline import Pipeline
from nightlake.core.sql_files import FOLDERS

from infra.build import BUILD, build_once

_PACKAGE = Path(nightlake.__path__[0])
_KINDS = ("*.py", "*.json", "*.css", "*.js")
SQL = Path(__file__).parents[1] / "sql"
NODE_MODULES = Path(__file__).parents[1] / "node_modules"


class LibraryMissingError(NightlakeError):
    """npm has not installed a library that the functions carry; its message names the file."""


def lambda_code(pipelines: Sequence[Pipeline], *, sql: Path = SQL, build: Path = BUILD) -> Path:
    """The directory of the code asset, under `build` and named by its content: the same input, the same path.

    Of `sql` it takes what a night runs: the files of the folders in `core.sql_files.FOLDERS`.

    Raises:
        LibraryMissingError: `make setup` has not been called.
    """
    files = {
        f"nightlake/{file.relative_to(_PACKAGE).as_posix()}": file.read_bytes()
        for file in sorted(file for kind in _KINDS for file in _PACKAGE.rglob(kind))
    }
    files |= {
        f"nightlake/contracts/{pipeline.name}.json": pipeline.model_dump_json(indent=1).encode()
        for pipeline in pipelines
    }
    files |= {
        f"nightlake/sql/{file.relative_to(sql).as_posix()}": file.read_bytes()
        for pipeline in pipelines
        for folder in FOLDERS
        for file in sorted((sql / pipeline.name / folder).glob("*.sql"))
    }
    files |= {f"nightlake/libraries/{name}": _library(name) for each in LIBRARIES for name in files_of(each)}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)

    def write(directory: Path) -> None:
        for name, content in files.items():
            file = directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    return build_once(build / "lambda" / digest.hexdigest()[:16], write)


def _library(name: str) -> bytes:
    try:
        return (NODE_MODULES / name).read_bytes()
    except FileNotFoundError:
        raise LibraryMissingError(f"node_modules/{name} is not installed: run `make setup`") from None
