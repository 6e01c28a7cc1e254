"""The code of every Lambda function, as one directory: the package `nightlake` and its compiled contracts."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import nightlake
from nightlake.core.pipeline import Pipeline

from infra.build import BUILD, build_once

_PACKAGE = Path(nightlake.__path__[0])


def lambda_code(pipelines: Sequence[Pipeline], *, build: Path = BUILD) -> Path:
    """The directory of the code asset, under `build` and named by its content: the same input, the same path."""
    files = {
        f"nightlake/{file.relative_to(_PACKAGE).as_posix()}": file.read_bytes()
        for file in sorted(_PACKAGE.rglob("*.py"))
    }
    files |= {
        f"nightlake/contracts/{pipeline.name}.json": pipeline.model_dump_json(indent=1).encode()
        for pipeline in pipelines
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
