"""What every page carries besides its contents: the plotting library, our script and our style."""

from pathlib import Path
from typing import Final, NamedTuple

# Packages of npm and the file of each that a page runs, in the order of their loading.
LIBRARIES: Final = (("d3", "dist/d3.min.js"), ("@observablehq/plot", "dist/plot.umd.min.js"))
_LICENCE: Final = "LICENSE"


class Assets(NamedTuple):
    """The texts that every page carries: the plotting `libraries` in the order of their loading, our script and style.

    None of them ends a script or style element.
    """

    libraries: tuple[str, ...]
    script: str
    style: str


def files_of(library: tuple[str, str]) -> tuple[str, str]:
    """The licence and the code of a library, below `node_modules` or where the deployment put them."""
    package, code = library
    return f"{package}/{_LICENCE}", f"{package}/{code}"


def load_assets(libraries: Path) -> Assets:
    """The assets, of which the libraries lie in this folder. Raises FileNotFoundError."""
    here = Path(__file__).parent
    return Assets(
        libraries=tuple(_with_licence(libraries, *files_of(each)) for each in LIBRARIES),
        script=_text(here / "page.js"),
        style=_text(here / "page.css"),
    )


def _with_licence(folder: Path, licence: str, code: str) -> str:
    return f"/*\n{_text(folder / licence)}*/\n{_text(folder / code)}"


def _text(file: Path) -> str:
    return file.read_text("utf-8")  # lines end in \n, as a browser hashes them
