"""The command line: one thin file per command; heavy imports happen inside the commands."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hwnas import __version__
from hwnas.cli import (
    bench,
    compare,
    devices,
    download,
    evaluate,
    export,
    fit,
    library,
    measure,
    predict,
    profile,
    report,
    search,
    space,
    spaces,
    train,
)
from hwnas.cli._command import add_commands
from hwnas.cli._console import Terminal, say
from hwnas.cli._errors import (
    BAD_INPUT,
    INTERRUPTED,
    empty_argument_line,
    lost_folder_line,
    lost_output_line,
    out_of_reach_line,
    say_error,
    usage_line,
)
from hwnas.cli._terminal import fit_streams
from hwnas.progress import listening

__all__ = ["app", "main"]

app = typer.Typer(
    name="hwnas",
    help="The Pareto front of a pretrained supernet's subnets, measured on your device.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


BOXED = 80
"""Least width of a terminal for boxes in help."""


def _version(wanted: bool) -> None:
    if wanted:
        say(f"hwnas {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog="Start here: hwnas search --latency 20ms")
def _root(
    context: typer.Context,
    _: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    if context.invoked_subcommand is None:
        say(context.get_help())


add_commands(
    app,
    spaces.spaces,
    devices.devices,
    profile.profile,
    download.download,
    train.train,
    evaluate.evaluate,
    export.export,
    fit.fit,
    search.search,
    measure.measure,
    predict.predict,
    report.report,
    compare.compare,
    bench.bench,
)
for _group in (library.app, space.app):
    app.add_typer(_group)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 bad outcome, 2 bad input, 130 interrupted."""
    fit_streams()
    # Boxes around options would cut their names on a narrow terminal.
    app.rich_markup_mode = "rich" if shutil.get_terminal_size().columns >= BOXED else None
    try:
        # Commands read the typed words from context.obj, for the provenance of a result.
        typed = list(sys.argv[1:] if args is None else args)
        refused = lost_folder_line() or empty_argument_line(typed)
        if refused is not None:
            say_error(refused)
            sys.exit(BAD_INPUT)
        with listening(Terminal()):
            code = app(args=typed, obj=typed, prog_name="hwnas", standalone_mode=False)
        if code == INTERRUPTED:  # typer returns this code if it is interrupted before a command begins
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        say_error("interrupted")
        code = INTERRUPTED
    except Exception as error:
        line = usage_line(error, typed) or lost_output_line(error) or out_of_reach_line(error)
        if line is None:
            raise
        say_error(line)
        code = BAD_INPUT
    sys.exit(code if isinstance(code, int) else 0)
