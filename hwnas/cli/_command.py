"""Commands and groups of them. Before a command begins, no option is given twice or without effect, and no input is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from hwnas.cli._console import say
from hwnas.cli._errors import as_typed, guarded
from hwnas.files import ends_in

ADD_COLUMNS = frozenset({"measure", "predict"})
"""Commands that may write into the file that they read."""

OF_EVALUATIONS = frozenset({"checkpoint", "data", "images", "calibrate", "batch_size", "engine", "on_failure"})
"""Options that have no effect without ``--evaluate``, in commands that have it."""


class Command(TyperCommand):
    """A command of hwnas, whose errors are one line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as typer does, and check.

        Raises:
            typer.BadParameter: an option is given twice, or has no effect without ``--evaluate``; or the output would
                replace an input.
        """
        order: list[Any] = list(self.make_parser(ctx).parse_args(args=list(args))[2])
        for i, param in enumerate(order):
            if param in order[:i] and param.param_type_name == "option" and not (param.multiple or param.is_eager):
                raise typer.BadParameter("it is given twice, and takes one value; drop one of them", ctx, param)
        left = super().parse_args(ctx, args)
        idle = [param for param in order if param.name in OF_EVALUATIONS] if ctx.params.get("evaluate") is False else []
        if idle:
            remedy = f"drop {idle[0].opts[0]}" + ("" if ctx.params.get("library") else ", or add --evaluate")
            rule = f"it has no effect without evaluations; {remedy}"
            raise typer.BadParameter(rule, ctx, idle[0])
        if isinstance(out := ctx.params.get("out"), Path):
            beside = [out.with_suffix(".json")] if ends_in(out, ".csv") else []
            for written in (out, *beside):
                if written.is_file() and (written in beside or self.name not in ADD_COLUMNS):
                    self._refuse_to_replace_inputs(ctx, written)
        return left

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see :func:`guarded`."""
        options = {param.opts[0]: ctx.params.get(param.name) for param in self.params if param.opts[0].startswith("--")}
        return guarded(super().invoke, partial(as_typed, options=options))(ctx)

    def get_help(self, ctx: Any) -> str:
        """Typer's help, without the escapes of brackets that only boxes need."""
        return super().get_help(ctx).replace("\\[", "[")

    def _refuse_to_replace_inputs(self, ctx: Any, out: Path) -> None:
        to: Any = next(param for param in self.params if param.name == "out")
        for param in self.params:
            value = ctx.params.get(param.name)
            for each in value if isinstance(value, list | tuple) else [value]:
                if param is not to and isinstance(each, str | Path) and _is_file(each, out):
                    source = param.opts[0] if param.param_type_name == "option" else "the command"
                    asked = ctx.params["out"]
                    remedy = f"write --out {asked.with_stem(f'{asked.stem}-2')}"
                    raise typer.BadParameter(f"{source} reads {out}, which would be lost; {remedy}", ctx, to)


def add_commands(app: typer.Typer, *commands: Callable[..., None]) -> None:
    """Add commands."""
    for command in commands:
        app.command(cls=Command)(command)


def command_group(name: str, purpose: str, *commands: Callable[..., None]) -> typer.Typer:
    """Commands behind a word of their own, such as ``hwnas library build``. The word alone shows their help."""
    app = typer.Typer(name=name, help=purpose)

    @app.callback(invoke_without_command=True)
    def _show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            say(context.get_help())

    add_commands(app, *commands)
    return app


def _is_file(named: str | Path, file: Path) -> bool:
    """Whether an argument names a file, or a part of it (``FILE:PART``)."""
    for path in (str(named), str(named).rpartition(":")[0]):
        with suppress(OSError):  # there is no such file, or the text is too long for a name
            if Path(path).samefile(file):
                return True
    return False
