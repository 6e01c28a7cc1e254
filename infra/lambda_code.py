"""The code of every Lambda function, as one directory: the package `nightlake`, its compiled contracts and its SQL."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import nightlake
from nightlake.core.pipeline import Pipeline
from nightlake.core.sql_files import FOLDERS

from infra.build import BUILD, build_once

_PACKAGE = Path(nightlake.__path__[0])
SQL = Path(__file__).parents[1] / "sql"


def lambda_code(pipelines: Sequence[Pipeline], *, sql: Path = SQL, build: Path = BUILD) -> Path:
    """The directory of the code asset, under `build` and named by its content: the same input, the same path.

    Of `sql` it takes what a night runs: the files of the folders in `core.sql_files.FOLDERS`.
    """
    files = {
        f"nightlake/{file.relative_to(_PACKAGE).as_posix()}": file.read_bytes()
        for file in sorted([*_PACKAGE.rglob("*.py"), *_PACKAGE.rglob("*.json")])
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
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)

    def write(directory: Path) -> None:
        for name, content in files.items():
            file = directory / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    return build_once(build / "lambda" / digest.hexdigest()[:16], write)
