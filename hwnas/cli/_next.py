"""Suggest the next commands."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hwnas.files import as_argument

SHIPPED = "digits"
"""The supernet that comes with its weights."""

FEWEST_TO_FIT = 10
"""Least number of subnets to fit a predictor and score it by five folds."""

OF_WEIGHTS = frozenset({"--checkpoint", "--data", "--text-column", "--pair-column", "--label-column"})
"""Options of a search that an export of its subnets needs too."""


def options_of(words: Iterable[str], keep: Callable[[str], bool]) -> list[str]:
    """The typed options that ``keep`` accepts by name, with their values."""
    kept, counts = [], False
    for word in words:
        counts = keep(word.partition("=")[0]) if word.startswith("--") else counts
        if counts:
            kept.append(word)
    return kept


def export_command(csv: Path, row: int, options: Sequence[str]) -> str:
    """The command that exports a row of a front."""
    return " ".join(["hwnas export", as_argument(csv), shlex.join(["--row", str(row), *options])])


def next_steps(csv: Path, rows: int, supernet: str | None, typed: Iterable[str], *, timed_here: bool) -> list[str]:
    """Commands to type after a search, with their purpose.

    Args:
        csv: the front.
        rows: number of its rows.
        supernet: the supernet of its subnets; without one there is nothing to export.
        typed: the typed words of the search.
        timed_here: whether this machine can measure the subnets.
    """
    name = as_argument(csv)
    if supernet is None:
        return [f"next: hwnas report {name} --html   (the front as a page to explore)"]
    given = options_of(typed, OF_WEIGHTS.__contains__)
    weights = "" if any(word.startswith("--checkpoint") for word in given) else _weights(supernet)
    export = export_command(csv, 1, given)
    steps = [(f"hwnas report {name} --html", "the front as a page to explore"), (export, f"a subnet as ONNX{weights}")]
    if timed_here:
        few = " --most 40" if rows > 100 else ""
        steps.insert(0, (f"hwnas measure {name}{few}", "predicted beside measured, on the device"))
    width = max(len(command) for command, _ in steps)
    return [f"{'' if i else 'next: ':6}{command:{width}}   ({what})" for i, (command, what) in enumerate(steps)]


def _weights(supernet: str) -> str:
    """How to get the weights of a supernet; empty if they ship."""
    from hwnas.supernet import PUBLISHED, reference_kind

    kind = reference_kind(supernet)
    supernet = kind.whole or supernet
    if supernet == SHIPPED or kind.carries_weights:
        return ""
    return f"; its weights: hwnas download {supernet}" if supernet in PUBLISHED else "; its weights: --checkpoint FILE"
