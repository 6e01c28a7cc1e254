"""The programs beside Python that commands start, and the versions they must have."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.errors import ToolMissingError
from cli.paths import ROOT


def node_tool(name: str) -> Path:
    """The path of a program that package.json pins.

    Raises:
        ToolMissingError: node or the program is not installed.
    """
    return _installed(Path(".bin") / name, name)


def node_package(name: str) -> Path:
    """The folder of a library that package.json pins.

    Raises:
        ToolMissingError: node or the library is not installed.
    """
    return _installed(Path(name), name)


def _installed(place: Path, name: str) -> Path:
    if shutil.which("node") is None:
        raise ToolMissingError("node is not installed. Install Node.js 22 (20 or later works), then: make setup")
    path = ROOT / "node_modules" / place
    if not path.exists():
        raise ToolMissingError(f"{name} is not installed in node_modules. Install it: make setup")
    return path


def pinned_node_packages() -> dict[str, str]:
    """Name to version, as package.json pins them."""
    pinned: dict[str, str] = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    return pinned


def pinned_python_packages() -> dict[str, str]:
    """Name to version, as requirements.txt pins them for any of our Python versions."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = (re.match(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)$", line) for line in lines)
    return {match[1].lower(): match[2] for match in found if match}


def version_of(command: Sequence[str]) -> str | None:
    """What a program says of its version, or None where it does not run."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found[0] if found and done.returncode == 0 else None


def run_cdk(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the pinned CDK command line in the checkout, its words to standard error; returns its exit code."""
    cdk = node_tool("cdk")
    started = subprocess.run([str(cdk), *arguments], cwd=ROOT, env=environment, stdout=2, stderr=2, check=False)
    return started.returncode
