"""The Lambda layer: the pinned wheels of requirements-lambda.txt, unpacked without a container and trimmed.

`python -m infra.layer` builds it; afterwards synth needs no network.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from nightlake.core.errors import NightlakeError

from infra.build import BUILD, build_once

REQUIREMENTS = Path(__file__).parents[1] / "requirements-lambda.txt"

# What our code never loads: Flight, and what serves only those who compile against Arrow and numpy or test them.
_UNUSED = (
    "bin",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/*flight*",
    "pyarrow/**/*.pxd",
    "pyarrow/**/*.pxi",
    "pyarrow/**/*.pyx",
    "pyarrow/**/*.h",
    "numpy/**/tests",
    "numpy/**/*.pyi",
    "numpy/**/*.a",
    "numpy/_core/include",
    "numpy/distutils",
    "numpy/f2py",
    # Lists what was installed, not what is left after trimming.
    "*.dist-info/RECORD",
)


class LayerError(NightlakeError):
    """The layer is not built yet and cannot be now; the message ends with what pip said."""


class Target(NamedTuple):
    """The interpreter a layer is for: its version, and the platform tags of the wheels that it can load."""

    python: str
    platforms: tuple[str, ...]


LAMBDA = {
    "arm64": Target(python="3.13", platforms=("manylinux_2_28_aarch64", "manylinux2014_aarch64")),
    "x86_64": Target(python="3.13", platforms=("manylinux_2_28_x86_64", "manylinux2014_x86_64")),
}


def layer(target: Target = LAMBDA["arm64"], *, build: Path = BUILD) -> Path:
    """The directory of the layer for `target`, holding `python/`; built on the first call, found on later ones.

    Raises:
        LayerError: pip could not fetch the wheels.
    """
    recipe = (REQUIREMENTS.read_text(), Path(__file__).read_text(), repr(target))
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()
    return build_once(build / "layer" / digest[:16], lambda directory: _make(directory / "python", target))


def _make(directory: Path, target: Target) -> None:
    platforms = [option for platform in target.platforms for option in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    wheels = ["--only-binary=:all:", "--no-deps", "--implementation", "cp", "--python-version", target.python]
    command = [*pip, *wheels, *platforms, "--target", str(directory), "--requirement", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no part is input
    if done.returncode != 0:
        raise LayerError(
            f"The Lambda layer cannot be built from {REQUIREMENTS.name}: run `make setup` once with a package index "
            f"in reach. pip said: {done.stderr.strip()}"
        )
    for pattern in _UNUSED:
        for path in list(directory.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.stdout.write(f"{layer()}\n")
