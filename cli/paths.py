"""Where things lie in this checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".nightlake"
"""The local AWS's state: endpoint, certificates, log, objects."""
PIPELINES = ROOT / "pipelines"
SQL = ROOT / "sql"
STATEMACHINES = ROOT / "statemachines"
BUILD = ROOT / ".build"
