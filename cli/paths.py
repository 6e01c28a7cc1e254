"""Where things lie: this checkout, and the local AWS's home."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("NIGHTLAKE_HOME", ROOT / ".nightlake"))
"""The local AWS's state: endpoint, certificates, log, objects. A second one beside it has another NIGHTLAKE_HOME."""
BUILD = ROOT / ".build"
