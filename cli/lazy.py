"""Commands that are imported when they are called: to list them all imports none."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS: Final = (
    *("up", "deploy", "seed", "run", "quality", "report", "query", "backfill", "snapshots", "rollback", "replay"),
    *("gc", "status", "env", "check", "infer", "convert", "graph", "cost", "doctor", "down", "api", "model"),
)
"""In the order of the help. A command is the function of its name in the file of its name."""
FILES: Final = {"gc": "collect_garbage"}
"""Files that cannot have the name of their command: Python has a module of that name."""


class Lazy(TyperCommand):
    """A command by its name; its file is read for the help, and imported when the command is called."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.called = name
        self.file = FILES.get(name, name)

    def docstring(self) -> str | None:
        """That of the function, of a file that is not imported."""
        program = ast.parse(Path(__file__).with_name(f"{self.file}.py").read_text())
        functions = {node.name: node for node in program.body if isinstance(node, ast.FunctionDef)}
        return ast.get_docstring(functions[self.called])

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Goes on with the command itself, a group where its file has an `app`."""
        module = import_module(f"cli.{self.file}")
        app: typer.Typer | None = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command()(getattr(module, self.called))
        return typer.main.get_command(app).make_context(info_name, args, parent=parent, **extra)


class LazyGroup(TyperGroup):
    """All commands; `api` has some of its own."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": [Lazy(name) for name in COMMANDS]})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command with its help."""
        command = super().get_command(ctx, cmd_name)
        if isinstance(command, Lazy):
            command.help = command.docstring()
        return command
