"""The commands of docs/restore.md run in a shell, and are ones that AWS has, with arguments that it takes."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.validate import validate_parameters

PAGE = Path(__file__).parents[2] / "docs" / "restore.md"
# Options of the command line itself, not of the operation.
GENERAL = {"output", "query"}
# What the page leaves to its reader.
READERS_OWN = {"ROLE": "arn:aws:iam::123456789012:role/batch", "JOB": "job-1", "KEY": "key", "MARKER": "version"}
RECORDER = """#!{python}
import json, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
print("answer")
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The arguments of every call of `aws` that bash makes of the page's code blocks, in their order."""
    directory = tmp_path_factory.mktemp("bin")
    recorded, aws = directory / "calls", directory / "aws"
    aws.write_text(RECORDER.format(python=sys.executable, calls=str(recorded)))
    aws.chmod(0o755)
    script = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL))
    environment = {"PATH": f"{directory}:/usr/bin:/bin", **READERS_OWN}
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, check=True, capture_output=True)
    return [json.loads(line) for line in recorded.read_text().splitlines()]


def checked(service: str, command: str, *options: str) -> dict[str, Any]:
    """The call as parameters of the API; raises botocore's ParamValidationError for what AWS would refuse."""
    client = boto3.client({"s3api": "s3"}.get(service, service), region_name="us-east-1")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[command.replace("-", "_")])
    members = {xform_name(name, "-"): (name, shape) for name, shape in model.input_shape.members.items()}
    given: dict[str, Any] = {}
    rest = iter(options)
    for option in rest:
        flag = option.removeprefix("--")
        if flag in GENERAL:
            next(rest)
        elif flag.startswith("no-"):
            given[members[flag.removeprefix("no-")][0]] = False
        else:
            name, shape = members[flag]
            value = next(rest)
            given[name] = value if shape.type_name == "string" else json.loads(value)
    validate_parameters(given, model.input_shape)
    return given


def test_every_command_is_one_that_aws_takes(calls: list[list[str]]) -> None:
    for call in calls:
        checked(*call)


def test_a_day_is_asked_for_file_by_file_and_a_year_in_bulk(calls: list[list[str]]) -> None:
    requests = {tuple(call[:2]): checked(*call) for call in calls}
    one = requests["s3api", "restore-object"]
    assert one["Key"] == "answer", "the key that the listing gave"
    assert one["RestoreRequest"]["GlacierJobParameters"]["Tier"] == "Standard"
    many = requests["s3control", "create-job"]
    assert many["Operation"]["S3InitiateRestoreObject"]["GlacierJobTier"] == "BULK"
    assert many["ManifestGenerator"]["S3JobManifestGenerator"]["SourceBucket"] == "arn:aws:s3:::answer"
