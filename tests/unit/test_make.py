"""`make` on a machine that lacks something says what, before it installs anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What make needs of a fresh clone, and a folder of programs that stands first in PATH."""
    for name in ("Makefile", "requirements.txt", "requirements-lambda.txt", "pyproject.toml", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "programs").mkdir()
    return tmp_path


def program(checkout: Path, name: str, script: str) -> Path:
    path = checkout / "programs" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def make(checkout: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path or f"{checkout / 'programs'}:{os.environ['PATH']}", "HOME": str(checkout)}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14)])
def test_a_python_that_does_not_fit_is_refused_by_version(checkout: Path, version: tuple[int, int]) -> None:
    python = program(
        checkout, "python-of-another-age",
        f'exec {sys.executable} -c "import sys; sys.version_info = {(*version, 0)}; exec(sys.argv[1])" "$2"',
    )  # fmt: skip
    done = make(checkout, f"PYTHON={python}", "setup")
    assert done.returncode != 0
    assert f"Nightlake needs Python 3.11, 3.12 or 3.13, and {python} is {version[0]}.{version[1]}" in done.stderr
    assert not (checkout / ".venv").exists()


def test_missing_npm_is_said(checkout: Path) -> None:
    for tool in ("sh", "bash", "make"):
        found = shutil.which(tool)
        assert found
        (checkout / "programs" / tool).symlink_to(found)
    done = make(checkout, "node_modules/.installed", path=str(checkout / "programs"))
    assert done.returncode != 0
    assert "npm is missing: install Node.js 22" in done.stderr


def test_an_old_node_is_refused_by_version(checkout: Path) -> None:
    node = shutil.which("node")
    program(
        checkout, "node",
        f'''exec {node} -e 'Object.defineProperty(process, "version", {{value: "v18.20.0"}});'''
        f'''Object.defineProperty(process, "versions", {{value: {{node: "18.20.0"}}}}); eval(process.argv[1])' "$2"''',
    )  # fmt: skip
    done = make(checkout, "node_modules/.installed")
    assert done.returncode != 0
    assert "Nightlake needs Node.js 20 or later, and node is v18.20.0" in done.stderr
    assert not (checkout / "node_modules").exists()


def test_help_lists_every_target_that_the_readme_promises(checkout: Path) -> None:
    listed = make(checkout, "help").stdout
    for target in ("run", "test", "lint", "down", "clean", "deploy", "setup"):
        assert f"make {target} " in listed
