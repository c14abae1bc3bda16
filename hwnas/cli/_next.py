"""What to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

SHIPPED = "digits"
"""The supernet that comes with its weights."""


def next_steps(
    csv: Path,
    rows: int,
    supernet: str | None,
    checkpoint: Path | None,
    data: Path | None,
    columns: Mapping[str, str],
    *,
    timed_here: bool,
) -> list[str]:
    """Commands to type after a search, with what they are for; without a supernet there is nothing to export."""
    name = shlex.quote(str(csv))
    if supernet is None:
        return [f"next: hwnas report {name} --html   (the front as a page to explore)"]
    weights = "" if checkpoint else _weights(supernet)
    export = f"hwnas export {name} --row 1"
    named = [(f"--{part}-column", column) for part, column in columns.items()]
    for option, value in (("--checkpoint", checkpoint), ("--data", data), *named):
        export += f" {option} {shlex.quote(str(value))}" if value is not None else ""
    steps = [(f"hwnas report {name} --html", "the front as a page to explore"), (export, f"a subnet as ONNX{weights}")]
    if timed_here:
        few = " --most 40" if rows > 100 else ""
        steps.insert(0, (f"hwnas measure {name}{few}", "predicted beside measured, on the device"))
    width = max(len(command) for command, _ in steps)
    return [f"{'' if i else 'next: ':6}{command:{width}}   ({what})" for i, (command, what) in enumerate(steps)]


def _weights(supernet: str) -> str:
    """Where the weights of a supernet come from, if they are not at hand."""
    from hwnas.supernet import PUBLISHED, reference_kind

    kind = reference_kind(supernet)
    supernet = kind.whole or supernet
    if supernet == SHIPPED or kind.carries_weights:
        return ""
    return f"; its weights: hwnas download {supernet}" if supernet in PUBLISHED else "; its weights: --checkpoint FILE"
