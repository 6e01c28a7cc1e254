"""`nightlake deploy`: the one template into the local AWS or an account, by the pinned CDK command line."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from local import aws as local_aws
from local import world

from cli.cloud import GOOD_STACK, Cloud, OfStage, Stage, connect, describe_stack
from cli.errors import DeployFailedError
from cli.output import Json, answer, errors_told, facts_table, progress
from cli.paths import BUILD, HOME, ROOT
from cli.tools import run_cdk

INPUTS = (
    "app.py", "cdk.json", "package.json", "requirements.txt", "requirements-lambda.txt", "requirements-tokens.txt",
    "infra", "lambdas", "pipelines", "sql", "statemachines",
)  # fmt: skip
"""Everything that a template is made of."""
RUNNING = "nightlake:running"
"""The key of CDK's context that infra/settings.py reads."""


def deploy(
    stage: OfStage = Stage.LOCAL,
    as_json: Json = False,
) -> None:
    """Deploy both stacks of a stage. Without a change it is a no-op."""
    from nightlake.core.contract import load_pipelines

    with errors_told(as_json=as_json):
        cloud = connect(stage)
        started = time.monotonic()
        if stage is Stage.LOCAL:
            world.start(HOME, load_pipelines(ROOT / "pipelines"), cloud.client("secretsmanager"))
        _bootstrap(cloud)
        _deploy(cloud)
        outputs = cloud.outputs()
        facts = outputs | {"ApiUrl": cloud.api_url(outputs)}
        seconds = round(time.monotonic() - started, 1)
    answer(
        {"stage": stage, "seconds": seconds, "stacks": cloud.stacks, "outputs": facts},
        view=facts_table(sorted(facts.items()), title=f"Stage {stage} deployed in {seconds} s"),
        as_json=as_json,
    )


def _bootstrap(cloud: Cloud) -> None:
    """CDK's own bucket and roles: made once in the local AWS; in an account that is its owner's decision."""
    if cloud.stage is not Stage.LOCAL:
        return
    toolkit = describe_stack(cloud.client("cloudformation"), "CDKToolkit")
    if toolkit is not None and toolkit["StackStatus"] in GOOD_STACK:
        return
    progress.print("Bootstrapping the local AWS for CDK")
    if run_cdk(["bootstrap", f"aws://{local_aws.ACCOUNT}/{local_aws.REGION}", "--app", ""], cloud.environment()):
        raise DeployFailedError(
            "cdk bootstrap failed: its words stand above. Start afresh: nightlake down --forget, then make deploy"
        )


def _deploy(cloud: Cloud) -> None:
    # The templates of the local AWS name what runs beside it: another one has other templates.
    assembly = HOME / local_aws.TEMPLATES if cloud.stage is Stage.LOCAL else BUILD / "cdk" / cloud.stage
    stamp = assembly / "inputs.sha256"
    running = _running(cloud.stage)
    digest = _digest_of_inputs(ROOT, running)
    # Synthesis takes ten times as long as asking CloudFormation whether something changed.
    synthesised = cloud.stage is Stage.LOCAL and stamp.exists() and stamp.read_text() == digest
    if not synthesised:
        # A deployment that fails leaves an assembly of these inputs, which the stamp of older ones must not vouch for.
        stamp.unlink(missing_ok=True)
    context = [option for text in (f"stage={cloud.stage}", *running) for option in ("--context", text)]
    app = ["--app", str(assembly)] if synthesised else ["--output", str(assembly), *context]
    approval = ["--require-approval", "never"] if cloud.stage is Stage.LOCAL else []
    # CDK's own look at a template takes longer than its synthesis, and only warns; an account's is looked at.
    environment = cloud.environment() | ({"CDK_VALIDATION": "false"} if cloud.stage is Stage.LOCAL else {})
    if run_cdk(["deploy", "--all", "--progress", "events", *approval, *app], environment):
        raise DeployFailedError(
            f"cdk deploy of stage {cloud.stage} failed: its words stand above. CloudFormation rolled the failing stack "
            f"back; how each stack is now: nightlake status --stage {cloud.stage}"
        )
    stamp.write_text(digest)


def _running(stage: Stage) -> list[str]:
    """What the context says besides: where this machine's own APIs and databases are, which `nightlake up` started."""
    return [f"{RUNNING}={world.recorded(HOME).model_dump_json()}"] if stage is Stage.LOCAL else []


def _digest_of_inputs(root: Path, context: Sequence[str] = ()) -> str:
    digest = hashlib.sha256("\0".join(context).encode())
    for name in INPUTS:
        top = root / name
        files = sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        for path in files:
            if "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
