"""Counts and lists in messages: ``3,700 subnets``, ``a, b, c and 4 more``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

A_LOT = 10**9
"""Numbers from here on are rounded: ``1.94e+19 subnets``."""


def count_of(n: int, noun: str, nouns: str | None = None) -> str:
    """A number of things: ``1 subnet``, ``3,700 subnets``; ``nouns`` is the plural if it is irregular."""
    return f"{f'{n:,}' if n < A_LOT else f'{n:.3g}'} {noun if n == 1 else nouns or f'{noun}s'}"


def first_few(values: Iterable[object], most: int = 3) -> str:
    """The first few values: ``a, b, c and 4 more``."""
    shown = [str(value) for value in values]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more


def listed(values: Sequence[int | float | str]) -> str:
    """Values in one short line: ``128 to 224 in steps of 4``, or the values, with the middle of a long list left out."""
    numbers = [v for v in values if not isinstance(v, str)]
    steps = {b - a for a, b in pairwise(numbers)}
    if len(values) == len(numbers) > 5 and len(steps) == 1:
        return f"{values[0]} to {values[-1]} in steps of {steps.pop()}"
    shown = [str(v) for v in values]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:5], "...", *shown[-2:]])
