"""The report of a latency table that was made or imported."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.cli._console import say
from hwnas.study._lengths import lengths_stated
from hwnas.study._place import elsewhere_words, refuse_busy

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.space import SearchSpace

TABLES = Path("latency_tables")
"""The folder in which commands look for tables."""


def show_table(table: LatencyTable, space: SearchSpace, *, elsewhere: bool) -> None:
    """Print the report of a table.

    Raises:
        DeviceError: the machine was too busy for the table to be trusted.
    """
    from hwnas.latency import Load

    say(_report(table, space, elsewhere=elsewhere))
    refuse_busy(Load.of(table.about(space)), f"latency table {table.name}")


def _report(table: LatencyTable, space: SearchSpace, *, elsewhere: bool) -> str:
    from hwnas.latency import Load, interval_words, summary

    facts = table.about(space)
    own = len(table.own_rows)
    of_all = f" of {len(table.rows)}" if own < len(table.rows) else ""
    lines = [f"latency table {table.name}: {own}{of_all} rows"]
    if facts.get("resolutions"):
        lines.append(f"  covers    {space.name} at {', '.join(str(r) for r in facts['resolutions'])}")
    validation = table.validation(space)
    if validation is not None:
        lines.append(f"  method    {facts['method']}, {facts['networks']} subnets, {facts['seconds']:.0f} s")
        lines.append(f"  check     {summary(validation)}")
    if facts.get("validation_plain"):
        lines.append(f"  by other means, files timed by a plain process: {summary(facts['validation_plain'])}")
    if facts.get("interval"):
        lines.append(f"  interval  {interval_words(facts['interval'])}")
    if facts.get("repeat_pct") is not None:
        lines.append(f"  noise     {Load.of(facts).words}")
    if facts.get("elsewhere"):
        lines.append(f"  fallback  {elsewhere_words(facts['elsewhere'])}")
    return "\n".join([*lines, f"next: {_next(table, space, elsewhere=elsewhere)}"])


def _next(table: LatencyTable, space: SearchSpace, *, elsewhere: bool) -> str:
    """The command that uses a table."""
    from hwnas.predictor import embedded_names
    from hwnas.space import precisions_named
    from hwnas.supernet import reference_kind

    made, kept_usually = table.device, table.path is not None and table.path.parent == TABLES
    name = table.path.name if table.path is not None and kept_usually else table.path
    usual = made.name == "cpu" and (made.threads, made.batch) == (1, 1)
    found = kept_usually and name == made.id and usual and not elsewhere
    where = "" if found else f" --device {shlex.quote(str(name))}"
    precision = f" --precision {table.precision.replace('+', ',')}" if table.precision != "fp32" else ""
    reference, _ = precisions_named(space.reference)
    if stated := lengths_stated(space):
        where = where or " --device cpu"
        return f"hwnas library build --model {shlex.quote(reference)} --data TEXT{precision}{where}{stated}"
    cost = table.cost(table.covered(space))
    budget = float(f"{(cost.minimum()[0] + cost.maximum()[0]) / 2:.2g}")
    measured = "" if (space.plain or space).name in embedded_names() else " --evaluate"
    if measured and reference_kind(reference).carries_weights:  # a file or folder brings no samples
        measured += " --data FOLDER"
    return f"hwnas search{where}{precision} --space {shlex.quote(reference)} --latency {budget:g}ms{measured}"
