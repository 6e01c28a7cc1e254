"""The CDK app: the pipelines of this checkout in the stage that `-c stage=local|dev|prod` names; nothing else."""

import sys
from pathlib import Path

from nightlake.core.contract import load_pipelines
from nightlake.core.errors import NightlakeError

from infra.stacks import build

try:
    build(load_pipelines(Path(__file__).parent / "pipelines")).synth()
except NightlakeError as error:
    sys.exit(str(error))
