"""Every command by the words that call it, those of groups too: ``library build``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from hwnas.cli import app


def _commands(group: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{words}{name} ")
        else:
            yield f"{words}{name}", command


COMMANDS: dict[str, Any] = dict(_commands(typer.main.get_command(app)))
