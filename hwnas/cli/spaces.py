"""``hwnas spaces``: what can be searched."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from hwnas.cli._console import listed
from hwnas.cli._options import AsJson
from hwnas.quantity import format_count

if TYPE_CHECKING:
    from hwnas.space import SearchSpace


def spaces(as_json: AsJson = False) -> None:
    """List the search spaces: genes, subnets, MACs, parameters, resolutions, and what ships for each.

    Example: hwnas spaces --json
    """
    from hwnas.space import get_space, space_names

    rows = [_describe(get_space(name)) for name in space_names()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        typer.echo("\n".join(_block(row) for row in rows))


def _describe(space: SearchSpace) -> dict[str, Any]:
    from hwnas.space import macs_cost, params_cost

    macs, params = macs_cost(space), params_cost(space)
    return {
        "name": space.name,
        "genes": {key: len(columns) for key, columns in space.groups.items()},
        "subnets": space.size(),
        "macs": [int(macs.minimum()[0]), int(macs.maximum()[0])],
        "params": [int(params.minimum()[0]), int(params.maximum()[0])],
        "resolutions": [space.genes[c].choices[i] for c in space.groups.get("r", []) for i in space.domain[c]],
        "fingerprint": space.fingerprint,
    }


def _block(row: dict[str, Any]) -> str:
    genes = ", ".join(f"{count} {key}" for key, count in row["genes"].items())
    macs, params = (" to ".join(format_count(float(f"{v:.3g}")) for v in row[key]) for key in ("macs", "params"))
    lines = [
        row["name"],
        f"  subnets  {row['subnets']:,} distinct ({sum(row['genes'].values())} genes: {genes})",
        f"  costs    {macs} MACs, {params} parameters",
    ]
    if row["resolutions"]:
        lines.append(f"  pixels   {listed(row['resolutions'])}")
    return "\n".join([*lines, ""])
