"""Composes the app: the stateful and the stateless stack of a stage, from typed settings and compiled pipelines."""

from collections.abc import Mapping, Sequence

from aws_cdk import App, Tags
from nightlake.core.pipeline import Pipeline

from infra import nag
from infra.settings import RUNNING, load_settings
from infra.stateful_stack import StatefulStack
from infra.stateless_stack import StatelessStack


def build(pipelines: Sequence[Pipeline], context: Mapping[str, object] | None = None) -> App:
    """The app with the stage that its context names as `stage`, checked by cdk-nag when it is synthesized.

    Raises:
        SettingsError: the stage or an override of its settings is refused.
    """
    app = App(context=context)
    add_stage(app, app.node.try_get_context("stage"), pipelines)
    nag.check(app)
    return app


def add_stage(app: App, stage: object, pipelines: Sequence[Pipeline]) -> None:
    """Add both stacks of `stage`, with the settings that `nightlake:<stage>` of the app's context lays over.

    Raises:
        SettingsError: the stage or an override of its settings is refused, or lacks a database that a pipeline reads.
    """
    context = app.node.try_get_context
    settings = load_settings(stage, context(f"nightlake:{stage}"), sources=context(RUNNING))
    stateful = StatefulStack(app, settings=settings, pipelines=pipelines)
    stateless = StatelessStack(app, settings=settings, pipelines=pipelines, stateful=stateful)
    for stack in (stateful, stateless):
        Tags.of(stack).add("application", "nightlake")
        Tags.of(stack).add("stage", settings.stage)
