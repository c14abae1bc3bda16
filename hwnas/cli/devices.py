"""``hwnas devices``: what can be profiled here, and which latency tables there are."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from hwnas.cli._options import AsJson
from hwnas.errors import HwnasError

if TYPE_CHECKING:
    from pathlib import Path

    from hwnas.latency import LatencyTable


def devices(as_json: AsJson = False) -> None:
    """List onnxruntime's providers, and the latency tables found: conditions, age, error, whether they fit this machine.

    Example: hwnas devices --json
    """
    from hwnas.latency import PROVIDERS, available_providers, table_paths

    providers = [
        {"device": name, "provider": PROVIDERS[name].name, "installed": installed, "package": PROVIDERS[name].package}
        for name, installed in available_providers().items()
    ]
    tables = [_described(path) for path in table_paths()]
    if as_json:
        typer.echo(json.dumps({"providers": providers, "tables": tables}, indent=2))
        return
    typer.echo("providers of the installed onnxruntime (for `hwnas profile --device NAME`)")
    for row in providers:
        typer.echo(f"  {row['device']:10} {'yes' if row['installed'] else 'no, install ' + str(row['package'])}")
    typer.echo("latency tables (for `hwnas search --device NAME`)")
    typer.echo("\n".join(line for table in tables for line in _lines(table)) or "  none; make one: hwnas profile")


def _described(path: Path) -> dict[str, Any]:
    from hwnas.latency import LatencyTable

    try:
        table = LatencyTable.load(path)
    except HwnasError as error:
        return {"name": path.name, "path": str(path), "error": str(error)}
    return {
        "name": path.name,
        "path": str(path),
        "rows": len(table.rows),
        "device": table.device.to_json(),
        "misfits": _misfits(table),
        "spaces": {
            name: {
                "method": facts.get("method"),
                "resolutions": facts.get("resolutions", []),
                "date": facts.get("date"),
                "age_days": _age_days(facts.get("date")),
                "validation": facts.get("validation"),
            }
            for name, facts in table.spaces.items()
        },
    }


def _misfits(table: LatencyTable) -> list[str] | None:
    """What sets the table's conditions apart from the same device here; None if it was not made by profiling."""
    from hwnas.latency import get_device

    if not table.device.provider:
        return None
    made = table.device
    try:
        here = get_device(made.name, batch=made.batch, precision=made.precision, spinning=made.spinning)
    except HwnasError as error:
        return [error.rule]
    return [d for d in made.differences(here) if not d.startswith("threads ")]


def _age_days(date: object) -> int | None:
    try:
        made = datetime.fromisoformat(str(date))
        return (datetime.now(UTC) - made).days
    except (TypeError, ValueError):
        return None


def _lines(table: dict[str, Any]) -> list[str]:
    from hwnas.latency import summary

    if "error" in table:
        return [f"  {table['name']}", f"    unreadable: {table['error']}"]
    fit = {True: "published elsewhere", False: "; ".join(table["misfits"] or []) or "fits this machine"}
    lines = [f"  {table['name']}: {fit[table['misfits'] is None]}"]
    for name, facts in table["spaces"].items():
        age = f"{facts['age_days']} days old" if facts["age_days"] is not None else "of unknown age"
        pixels = ", ".join(str(r) for r in facts["resolutions"])
        lines.append(f"    {name}{' at ' + pixels if pixels else ''}: {facts['method']}, {age}")
        if facts["validation"]:
            lines.append(f"      {summary(facts['validation'])}")
    return lines
