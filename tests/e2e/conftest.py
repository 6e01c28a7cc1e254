"""A local AWS for the e2e tests of one process: IAM enforced, over TLS, on a free port, gone with the process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import aws, world

Template = dict[str, Any]
Deploy = Callable[[str, Template], dict[str, str]]
Nightlake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the deployed stage runs in one worker, which has deployed it. The other tests that share a local AWS
    run in another, with one of its own; README's have one each. What the nights needed is looked at last.
    """
    items.sort(key=lambda item: item.path.name == "test_least_privilege.py")
    for item in items:
        if Path(__file__).parent in item.path.parents and item.path.name != "test_readme.py":
            is_deployed = "outputs" in getattr(item, "fixturenames", ())
            item.add_marker(pytest.mark.xdist_group("stage" if is_deployed else "local-aws"))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tests' own local AWS."""
    return tmp_path_factory.mktemp("local-aws")


@pytest.fixture(scope="session")
def cloud(home: Path) -> Iterator[aws.Endpoint]:
    """A running local AWS, whose waits are short; `cloud.client(service)` is its root user's boto3 client."""
    os.environ["SFN_WAIT_SCALE"] = "0.02"
    try:
        yield aws.start(home, port=0, iam=True, detached=False)
    finally:
        world.forget(home)
        aws.clean(home)


@pytest.fixture(scope="session")
def nightlake_at() -> Callable[[Path], Nightlake]:
    """nightlake_at(home): the command for the local AWS of that folder; `typed` goes to its standard input."""

    def at(home: Path) -> Nightlake:
        environment = {**os.environ, "NIGHTLAKE_HOME": str(home), "COLUMNS": "200", "TERM": "dumb"}

        def run(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
            command = [str(Path(sys.executable).parent / "nightlake"), *arguments]
            return subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, check=False)

        return run

    return at


@pytest.fixture(scope="session")
def nightlake(home: Path, cloud: aws.Endpoint, nightlake_at: Callable[[Path], Nightlake]) -> Nightlake:
    """nightlake("status", "--json"): the command, for the tests' own local AWS."""
    return nightlake_at(home)


@pytest.fixture(scope="session")
def outputs(nightlake: Nightlake) -> dict[str, str]:
    """Both stacks of stage `local`, deployed once by `nightlake deploy`: their outputs."""
    done = nightlake("deploy", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)["outputs"]
    return found


@pytest.fixture(scope="session")
def api_key(nightlake: Nightlake, outputs: dict[str, str]) -> str:
    """A key of the deployed API that opens all but personal values."""
    scopes = [word for ability in ("read", "query", "operate") for word in ("--scope", f"{ability}:*")]
    done = nightlake("api", "keys", "create", "tests", *scopes, "--json")
    assert done.returncode == 0, done.stdout
    return str(json.loads(done.stdout)["key"])


@pytest.fixture(scope="session")
def select(cloud: aws.Endpoint, outputs: dict[str, str]) -> Callable[[str], list[list[str | None]]]:
    """select("SELECT ..."): at most 999 rows, as a reader of Athena gets them: each value a text."""
    athena = cloud.client("athena")
    place = {"WorkGroup": outputs["BiWorkgroup"], "QueryExecutionContext": {"Database": outputs["Database"]}}

    def rows(sql: str) -> list[list[str | None]]:
        query = athena.start_query_execution(QueryString=sql, **place)["QueryExecutionId"]
        ended = _until(
            lambda: athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"],
            lambda status: status["State"] not in {"QUEUED", "RUNNING"},
        )
        assert ended["State"] == "SUCCEEDED", ended
        _, *found = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [[value.get("VarCharValue") for value in row["Data"]] for row in found]

    return rows


@pytest.fixture(scope="session")
def workers(cloud: aws.Endpoint) -> Callable[[str], list[psutil.Process]]:
    """workers("convert plan"): the processes that are sandboxes of these functions now."""

    def of(names: str) -> list[psutil.Process]:
        children = psutil.Process(cloud.pid).children(recursive=True)
        return [worker for worker in children if _function(worker) in names.split()]

    return of


def _function(worker: psutil.Process) -> str | None:
    try:
        command = " ".join(worker.cmdline())
    except psutil.Error:
        return None
    return command.partition("ministack-lambda-nightlake-local-")[2].partition("-")[0] or None


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """until(look, good=bool): what `look` gives once it is `good`."""
    return _until


@pytest.fixture(scope="module")
def deploy(cloud: aws.Endpoint) -> Iterator[Deploy]:
    """Create or update a stack from a template and give its outputs; stacks are deleted after the module's tests."""
    cloudformation = cloud.client("cloudformation")
    deployed: list[str] = []

    def run(name: str, template: Template) -> dict[str, str]:
        change = cloudformation.update_stack if name in deployed else cloudformation.create_stack
        change(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
        if name not in deployed:
            deployed.append(name)
        stack = _until(
            lambda: cloudformation.describe_stacks(StackName=name)["Stacks"][0],
            lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"),
        )
        if stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            raise AssertionError([event for event in events if "FAILED" in event["ResourceStatus"]])
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    yield run
    for name in reversed(deployed):
        cloudformation.delete_stack(StackName=name)


def _until(look: Callable[[], Any], good: Callable[[Any], bool] = bool, seconds: float = 60) -> Any:
    """What `look` gives once it is `good`; fails with the last look after a generous while."""
    deadline = time.monotonic() + seconds
    while not good(found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Still after {seconds} s: {found}")
        time.sleep(0.1)
    return found
