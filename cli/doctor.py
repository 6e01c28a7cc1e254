"""`nightlake doctor`: is this machine, this checkout and the chosen AWS fit to run Nightlake?"""

import json
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import psutil
import typer
from local import aws as local_aws
from local import world
from local.home import HOST
from rich.table import Table

from cli.cloud import GOOD_STACK, Cloud, Stage, connect, describe_stack
from cli.finding import Finding, Verdict, judged
from cli.lake_health import lake_health
from cli.output import FAILED, Json, answer, errors_told
from cli.paths import BUILD, HOME, ROOT
from cli.tools import pinned_node_packages, pinned_python_packages, version_of

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

EXACT_PACKAGES = ("aws-cdk-lib", "cdk-nag", "duckdb", "duckdb-extension-httpfs", "ministack", "pyarrow", "sqlglot")
"""Packages whose very version the project's behaviour rests on."""
NODE_WANTED, NODE_NEEDED = 22, 20
AWS_KEEPS_UNRESERVED = 100
FREE_DISK_GB = 5
FREE_MEMORY_GB = 2
_PINNED = "The project pins {}: make setup"


def doctor(
    stage: Annotated[
        Stage, typer.Option(help="Whose AWS to look at; dev and prod use your credentials.")
    ] = Stage.LOCAL,
    mend: Annotated[bool, typer.Option("--mend", help="Complete a catalog that a crash left half done.")] = False,
    as_json: Json = False,
) -> None:
    """Check tools, versions, ports, room, quotas, and the lake itself. Ends with 1 where something must be mended."""
    with errors_told(as_json=as_json):
        findings = [*_tools(), *_packages(), *_room(), *_aws(stage, mend=mend)]
    failed = any(finding.verdict is Verdict.FAIL for finding in findings)
    answer(
        {"stage": stage, "findings": [asdict(finding) for finding in findings]},
        view=_view(findings),
        as_json=as_json,
        code=FAILED if failed else 0,
    )


def _tools() -> Iterator[Finding]:
    yield judged(
        "python",
        (3, 11) <= sys.version_info[:2] < (3, 14),
        platform.python_version(),
        "Nightlake needs Python 3.11, 3.12 or 3.13: make clean, then make PYTHON=python3.12 setup",
    )
    node = version_of(["node", "--version"])
    major = int(node.split(".")[0]) if node else 0
    if major < NODE_NEEDED:
        yield Finding(
            "node", Verdict.FAIL, node or "missing", f"Install Node.js {NODE_WANTED}; CDK needs {NODE_NEEDED}."
        )
    elif major < NODE_WANTED:
        yield Finding(
            "node", Verdict.WARN, str(node), f"Works, but is past its end of life: install Node.js {NODE_WANTED}."
        )
    else:
        yield Finding("node", Verdict.OK, str(node))
    for tool in ("npm", "git", "make"):
        found = version_of([tool, "--version"])
        yield judged(tool, found, found or "missing", f"Install {tool}.")


def _packages() -> Iterator[Finding]:
    pinned = pinned_python_packages()
    for name in EXACT_PACKAGES:
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        yield judged(name, found == pinned[name], found, _PINNED.format(pinned[name]))
    for name, wanted in sorted(pinned_node_packages().items()):
        manifest = ROOT / "node_modules" / name / "package.json"
        found = json.loads(manifest.read_text())["version"] if manifest.exists() else "missing"
        yield judged(name, found == wanted, found, _PINNED.format(wanted))


def _room() -> Iterator[Finding]:
    free = shutil.disk_usage(ROOT).free / 1e9
    yield judged(
        "disk", free >= FREE_DISK_GB, f"{free:.0f} GB free", f"Free {FREE_DISK_GB} GB.", otherwise=Verdict.WARN
    )
    available = psutil.virtual_memory().available / 1e9
    yield judged(
        "memory",
        available >= FREE_MEMORY_GB,
        f"{available:.1f} GB available",
        f"The local AWS and its Lambdas want {FREE_MEMORY_GB} GB.",
        otherwise=Verdict.WARN,
    )
    layer = (BUILD / "layer").is_dir()
    yield judged("lambda layer", layer, "built" if layer else "missing", "Build it: make setup")


def _aws(stage: Stage, *, mend: bool) -> Iterator[Finding]:
    if stage is Stage.LOCAL:
        emulator = local_aws.status(HOME)
        if not emulator.running:
            yield _port(local_aws.DEFAULT_PORT)
            return
        where = emulator.endpoint.url if emulator.endpoint else ""
        yield judged(
            "local AWS",
            emulator.healthy,
            f"{where}, version {emulator.version}" if emulator.healthy else "does not answer",
            f"Restart it: nightlake down && nightlake up; its log: {HOME / 'emulator.log'}",
        )
        yield from _beside()
    cloud = connect(stage)
    stacks = list(_stacks(cloud))
    yield from stacks
    if all(stack.verdict is Verdict.OK for stack in stacks):
        outputs = cloud.outputs()
        # On this machine nobody has to hear of a failed night.
        if stage is not Stage.LOCAL:
            yield _alerts(cloud.client("sns"), outputs["AlertTopic"])
        yield from lake_health(cloud, outputs, mend=mend)
    yield from _quotas(cloud)


def _beside() -> Iterator[Finding]:
    """What sources of this machine read."""
    for part in world.parts(HOME):
        yield judged(part.name, part.running, part.where, "Its sources cannot be read. Start it: nightlake up")


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        taken = probe.connect_ex((HOST, port)) == 0
    return judged(
        f"port {port}",
        not taken,
        "in use" if taken else "free",
        "Another program listens there: nightlake up --port 0 takes a free one.",
        otherwise=Verdict.WARN,
    )


def _stacks(cloud: Cloud) -> Iterator[Finding]:
    for name in cloud.stacks:
        stack = describe_stack(cloud.client("cloudformation"), name)
        if stack is None:
            yield Finding(name, Verdict.WARN, "not deployed", f"Deploy it: make deploy STAGE={cloud.stage}")
        else:
            advice = "Read its events in CloudFormation, mend the cause, deploy again."
            yield judged(name, stack["StackStatus"] in GOOD_STACK, stack["StackStatus"], advice)


def _alerts(sns: "SNSClient", topic: str) -> Finding:
    """Whether anybody hears of a night that failed."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    arns = [subscription["SubscriptionArn"] for page in pages for subscription in page["Subscriptions"]]
    confirmed = sum(arn.startswith("arn:") for arn in arns)
    return judged(
        "alerts",
        confirmed,
        f"{confirmed} of {len(arns)} subscriptions confirmed",
        "Nobody hears of a failed night: set alarm_emails or webhooks, confirm the e-mail.",
    )


def _quotas(cloud: Cloud) -> Iterator[Finding]:
    """Lambda's concurrency must hold what the stage reserves and leave the 100 that AWS keeps unreserved."""
    limits = cloud.client("lambda").get_account_settings()["AccountLimit"]
    total, unreserved = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    yield judged(
        "lambda concurrency",
        unreserved >= AWS_KEEPS_UNRESERVED,
        f"{total} in the account, {unreserved} unreserved",
        f"AWS keeps {AWS_KEEPS_UNRESERVED} unreserved: ask for a higher quota (Lambda, Concurrent executions), or "
        "lower reserved_concurrency of functions.query and functions.authorize in cdk.json.",
    )


def _view(findings: list[Finding]) -> Table:
    colour = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
    table = Table(box=None, show_header=False)
    for _ in ("verdict", "subject"):
        table.add_column(no_wrap=True)
    for finding in findings:
        mark = f"[{colour[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(mark, finding.subject, f"{finding.found}. {finding.advice}" if finding.advice else finding.found)
    return table
