"""The tutorial of a new source: its commands work one after the other, and do what the page says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs/new-source.md").read_text()


def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    blocks = re.findall(r"<!-- tested -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    said = []
    for block in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        said.append(done.stdout)
    proposed, found, checked, counted = said
    assert "primaryKey: true" in proposed
    assert "classification: personal" in proposed
    assert "out/purchases/year=" in found
    assert "no problems" in checked
    assert re.findall(r"\d+", counted) == ["5", "4", "1"]
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["status"] == "rejected"
    assert {rule["rule"]: rule["broken"] for rule in told["rules"]}["purchases.amount.minimum"] == 1
    assert [*(tmp_path / "out/_quarantine/purchases").glob("*.parquet")]
