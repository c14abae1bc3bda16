"""``hwnas devices``: list the devices that can be profiled here, and the latency tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hwnas.cli._console import say
from hwnas.cli._options import AsJson
from hwnas.errors import HwnasError
from hwnas.wording import count_of

if TYPE_CHECKING:
    from pathlib import Path


def devices(as_json: AsJson = False) -> None:
    """List onnxruntime's providers, and latency tables with conditions, age, error and fit to this machine.

    Example: hwnas devices --json
    """
    from hwnas.latency import PROVIDERS, available_providers, table_paths

    providers = [
        {"device": name, "provider": PROVIDERS[name].name, "installed": installed, "package": PROVIDERS[name].package}
        for name, installed in available_providers().items()
    ]
    tables = [_described(path) for path in table_paths()]
    if as_json:
        say(json.dumps({"providers": providers, "tables": tables}, indent=2))
        return
    say("providers of the installed onnxruntime (for `hwnas profile --device NAME`)")
    for row in providers:
        say(f"  {row['device']:10} {'yes' if row['installed'] else 'no, install ' + str(row['package'])}")
    say("latency tables (for `hwnas search --device NAME`)")
    say("\n".join(line for table in tables for line in _lines(table)) or "  none; make one: hwnas profile")


def _described(path: Path) -> dict[str, Any]:
    from hwnas.latency import LatencyTable, age_days, doubts, misfits

    try:
        table = LatencyTable.load(path)
    except HwnasError as error:
        return {"name": path.name, "path": str(path), "error": str(error)}
    return {
        "name": path.name,
        "path": str(path),
        "rows": len(table.rows),
        "device": table.device.to_json(),
        "misfits": misfits(table),
        "profiles": {
            precision: {
                name: {
                    "method": facts.get("method"),
                    "resolutions": facts.get("resolutions", []),
                    "date": facts.get("date"),
                    "age_days": age_days(facts),
                    "validation": facts.get("validation"),
                    "interval": facts.get("interval"),
                    "repeat_pct": facts.get("repeat_pct"),
                    "elsewhere": facts.get("elsewhere", {}),
                    "doubts": doubts(table, facts),
                }
                for name, facts in spaces.items()
            }
            for precision, spaces in table.profiles.items()
        },
    }


def _lines(table: dict[str, Any]) -> list[str]:
    if "error" in table:
        return [f"  {table['name']}", f"    unreadable: {table['error']}"]
    fit = {True: "published elsewhere", False: "; ".join(table["misfits"] or []) or "fits this machine"}
    lines = [f"  {table['name']}: {fit[table['misfits'] is None]}"]
    made = table["device"]
    if made["provider"]:
        threads = count_of(made["threads"], "thread")
        lines.append(f"    {made['name']}, {threads}, batch {made['batch']}, {made['runtime']}")
    for precision, spaces in table["profiles"].items():
        for name, facts in spaces.items():
            found = _space_lines(f"{name} in {precision}", facts, foreign=bool(table["misfits"]))
            lines += [f"    {line}" for line in found]
    return lines


def _space_lines(name: str, facts: dict[str, Any], *, foreign: bool) -> list[str]:
    from hwnas.latency import interval_words, summary
    from hwnas.study._place import elsewhere_words

    age = f"{count_of(facts['age_days'], 'day')} old" if facts["age_days"] is not None else "of unknown age"
    pixels = ", ".join(str(r) for r in facts["resolutions"])
    lines = [f"{name}{' at ' + pixels if pixels else ''}: {facts['method']}, {age}"]
    if facts["validation"]:
        lines.append(f"  {summary(facts['validation'])}")
    if facts["interval"]:
        lines.append(f"  {interval_words(facts['interval'])}")
    if facts["elsewhere"]:
        lines.append(f"  {elsewhere_words(facts['elsewhere'])}")
    if facts["doubts"] and not foreign:
        lines.append(f"  check it (hwnas profile --check): {'; '.join(facts['doubts'])}")
    return lines
