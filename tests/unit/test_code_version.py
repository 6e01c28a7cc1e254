"""Another line of code, or another name of a file, is another version of what converts."""

from pathlib import Path

from nightlake.core.code_version import code_version


def version(root: Path) -> str:
    code_version.cache_clear()
    return code_version(root)


def test_the_version_follows_the_code_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "readers").mkdir()
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "readers" / "b.py").write_text("y = 1")
    first = version(tmp_path)
    (tmp_path / "readers" / "b.pyc").write_bytes(b"compiled")
    assert version(tmp_path) == first
    (tmp_path / "readers" / "b.py").write_text("y = 2")
    assert version(tmp_path) != first
    (tmp_path / "readers" / "b.py").write_text("y = 1")
    assert version(tmp_path) == first
    (tmp_path / "readers" / "b.py").rename(tmp_path / "b.py")
    assert version(tmp_path) != first
    assert len(code_version()) == 64
