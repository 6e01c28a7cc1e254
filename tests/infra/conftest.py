"""The templates of each stage, synthesized once a session from cdk.json's own context and the real pipelines."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from aws_cdk import App, Stack
from aws_cdk.cx_api import CloudAssembly
from nightlake.core.contract import load_pipelines
from nightlake.core.pipeline import Pipeline

from infra.stacks import build
from infra.whole_template import whole_template

Template = dict[str, Any]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def pipelines() -> tuple[Pipeline, ...]:
    return load_pipelines(ROOT / "pipelines")


@pytest.fixture(scope="session")
def context() -> dict[str, object]:
    """What the CDK command line passes to the app; assets are left where they are instead of being copied each time."""
    context: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {**context, "aws:cdk:disable-asset-staging": True}


@pytest.fixture(scope="session")
def overridden(context: dict[str, object]) -> Callable[[str, dict[str, object]], dict[str, object]]:
    """overridden("dev", {...}): the context of a stage with these settings laid over those of cdk.json."""

    def lay(stage: str, settings: dict[str, object]) -> dict[str, object]:
        key = f"nightlake:{stage}"
        return {**context, "stage": stage, key: {**cast("dict[str, object]", context.get(key, {})), **settings}}

    return lay


@pytest.fixture(scope="session")
def new_stack(context: dict[str, object]) -> Callable[[], Stack]:
    """An empty stack on each call, for one construct alone, under the same feature flags as the app."""
    return lambda: Stack(App(context=context), "Stack")


@pytest.fixture(scope="session")
def assembly(pipelines: tuple[Pipeline, ...], context: dict[str, object]) -> Callable[[str], CloudAssembly]:
    """`assembly(stage)`: what synth of the stage makes; it fails on any finding of cdk-nag."""
    return cache(lambda stage: build(pipelines, {**context, "stage": stage}).synth())


@pytest.fixture(scope="session")
def template(assembly: Callable[[str], CloudAssembly]) -> Callable[[str, str], Template]:
    """`template(stage, "stateful" or "stateless")`: a synthesized template with those of its nested stacks in it."""
    return cache(lambda stage, stack: whole_template(assembly(stage), f"nightlake-{stage}-{stack}"))
