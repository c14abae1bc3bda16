"""``hwnas spaces``: list the search spaces."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli._console import say
from hwnas.cli._options import REFERENCE, AsJson
from hwnas.errors import HwnasError
from hwnas.metric import LATENCY, QUALITY
from hwnas.quantity import format_count
from hwnas.study._space import open_space
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.space import SearchSpace


_LIBRARY = """\
a block library of your own
  metrics  from a CSV with the columns layer, choice, score and costs: hwnas search --library FILE.csv --searcher exact
"""


def spaces(
    space: Annotated[
        str | None, typer.Option("--space", help=f"Only this one: {REFERENCE}.", metavar="NAME", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the search spaces with genes, subnets, MACs, parameters, inputs, and the files that ship for each.

    Example: hwnas spaces --json
    """
    from hwnas.predictor import embedded_names
    from hwnas.space import space_names

    found = [open_space(name) for name in (space_names() if space is None else [space])]
    tables = _tables()
    rows = []
    for each in found:
        ships = {"predictor": each.name in embedded_names(), "latency_tables": tables.get(each.name, [])}
        rows.append({**_describe(each), **ships})
    if as_json:
        say(json.dumps(rows, indent=2))
    else:
        say("\n".join([*map(_block, found, rows), *([_LIBRARY] if space is None else [])]))


def _describe(space: SearchSpace) -> dict[str, Any]:
    from hwnas.space import macs_cost, params_cost

    costs = {"macs": macs_cost(space), "params": params_cost(space)} if space.slots else {}
    return {
        "name": space.name,
        "genes": {key: len(columns) for key, columns in space.groups.items()},
        "subnets": space.size(),
        **{name: [int(cost.minimum()[0]), int(cost.maximum()[0])] for name, cost in costs.items()},
        "inputs": {
            gene.name: {"values": space.input_values[gene.name], "unit": gene.unit}
            for gene in (space.genes[c] for c in space.input_genes)
        },
        "fingerprint": space.fingerprint,
    }


def _tables() -> dict[str, list[str]]:
    """Names of the latency tables of each space."""
    from hwnas.latency import find_table, table_paths

    found: dict[str, list[str]] = {}
    for path in table_paths():
        with suppress(HwnasError):  # `hwnas devices` reports the error
            names = [name for spaces in find_table(path).profiles.values() for name in spaces]
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(path.name)
    return found


def _block(space: SearchSpace, row: dict[str, Any]) -> str:
    genes = ", ".join(f"{count} {key}" for key, count in row["genes"].items())
    lines = [
        row["name"],
        f"  subnets  {row['subnets']:,} distinct ({count_of(sum(row['genes'].values()), 'gene')}: {genes})",
    ]
    if "macs" not in row:
        search = f"hwnas search --space {row['name']} --table FILE.csv --objectives {QUALITY.name}=A,{LATENCY.name}=B"
        return "\n".join([*lines, f"  metrics  from a table of all its subnets: {search}", ""])
    macs, params = (" to ".join(format_count(float(f"{v:.3g}")) for v in row[key]) for key in ("macs", "params"))
    lines.append(f"  costs    {macs} MACs, {params} parameters")
    if space.input_genes:
        lines.append(f"  inputs   {space.input_text}")
    lines.append(f"  accuracy {'a predictor ships' if row['predictor'] else 'no predictor ships; see `hwnas fit`'}")
    lines.append(f"  latency  {', '.join(row['latency_tables']) or 'no table yet; see `hwnas profile`'}")
    return "\n".join([*lines, ""])
