"""The Lambda layer: the pinned wheels of requirements-lambda.txt, unpacked without a container and trimmed, and the
certificates that prove a database of RDS to be one.

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

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements-lambda.txt"
TOKENS = ROOT / "requirements-tokens.txt"
_CERTIFICATES = ROOT / "infra" / "certificates.mjs"
CERTIFICATES = "rds-ca.pem"
"""The file of the layer with the certificate authorities of RDS and of RDS Proxy in all regions; a function finds it in
`/opt`."""

# What our code never loads: Flight and Substrait; what serves only those who compile against Arrow,
# numpy and ADBC or test them; a library's second and third name, which links are in a wheel's place of origin.
_UNUSED = (
    "bin",
    "adbc_driver_manager/**/*.h",
    "adbc_driver_manager/**/*.hpp",
    "adbc_driver_manager/toml++",
    "boto3/data",
    "boto3/examples",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/tests",
    "pyarrow/*flight*",
    "pyarrow/_substrait*",
    "pyarrow/*_cpp_tests*",
    "pyarrow/*.so.2500.*",
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python_parquet_encryption.so",
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
    "numpy/random",
    # Lists what was installed, not what is left after trimming.
    "*.dist-info/RECORD",
)
# What botocore must know: the services whose clients functions make.
SERVICES = ("athena", "dynamodb", "glue", "s3", "secretsmanager", "stepfunctions")


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
    """The directory of the layer for `target`, holding `python/` and `CERTIFICATES`; built on the first call, found on
    later ones.

    Raises:
        LayerError: pip could not fetch the wheels, or npm has not installed the certificates.
    """
    certificates = _certificates()
    recipe = (REQUIREMENTS.read_text(), Path(__file__).read_text(), repr(target), certificates)
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()

    def make(directory: Path) -> None:
        _unpack(directory / "python", target, REQUIREMENTS)
        (directory / CERTIFICATES).write_text(certificates)

    return build_once(build / "layer" / digest[:16], make)


def token_layer(target: Target = LAMBDA["arm64"], *, build: Path = BUILD) -> Path:
    """The directory of a second layer for `target`, with what proves tokens: only an authorizer of tokens carries it.

    Raises:
        LayerError: pip could not fetch the wheels.
    """
    recipe = (TOKENS.read_text(), Path(__file__).read_text(), repr(target))
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()
    return build_once(build / "layer" / digest[:16], lambda directory: _unpack(directory / "python", target, TOKENS))


def _certificates() -> str:
    done = subprocess.run(["node", str(_CERTIFICATES)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode != 0:
        raise LayerError(f"The certificates of RDS are not installed: run `make setup`. node said: {done.stderr}")
    return done.stdout


def _unpack(directory: Path, target: Target, requirements: Path) -> None:
    platforms = [option for platform in target.platforms for option in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    wheels = ["--only-binary=:all:", "--no-deps", "--implementation", "cp", "--python-version", target.python]
    command = [*pip, *wheels, *platforms, "--target", str(directory), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no part is input
    if done.returncode != 0:
        raise LayerError(
            f"The Lambda layer cannot be built from {requirements.name}: run `make setup` once with a package index "
            f"in reach. pip said: {done.stderr.strip()}"
        )
    described = {path for path in directory.glob("botocore/data/*") if path.is_dir() and path.name not in SERVICES}
    for path in described.union(*(directory.glob(pattern) for pattern in _UNUSED)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.stdout.write(f"{layer()}\n")
