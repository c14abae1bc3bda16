"""``hwnas spaces``: what can be searched."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import json
from typing import Any

import typer

from hwnas.cli._options import AsJson


def spaces(as_json: AsJson = False) -> None:
    """List the search spaces: genes, subnets, MACs, parameters, resolutions, and what ships for each.

    Example: hwnas spaces --json
    """
    from hwnas.space import get_space, space_names

    rows = [_describe(get_space(name)) for name in space_names()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return


def _describe(space: Any) -> dict[str, Any]:
    return {"name": space.name}
