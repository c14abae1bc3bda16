"""Quantities with units: ``20ms`` of latency, ``300M`` MACs, ``20MB`` of memory.

A number without a unit is refused: a table in milliseconds and a budget in seconds have cost people days.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from hwnas.errors import QuantityError

_QUANTITY = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf))\s*(?P<unit>(?:[^\d\s,.]\S*)?)\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Kind:
    """``units``: factor of each unit to hwnas's own unit. ``usual``: the unit to suggest."""

    noun: str
    units: Mapping[str, float]
    usual: str

    @property
    def listed(self) -> str:
        *most, last = self.units
        return f"{', '.join(most)} or {last}"


PLAIN_FROM = 100_000
"""A count or size without a unit has the usual unit if it is smaller than this: 300 probably means 300M, but 1e9 means 1G."""

_LATENCY = _Kind("latency", {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}, "ms")
_COUNT = _Kind("count", {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}, "M")
_RATE = _Kind("rate", {"/s": 1.0, "fps": 1.0, "images/s": 1.0, "k/s": 1e3}, "/s")
_BYTES = _Kind("size", {"B": 1, "kB": 1e3, "KiB": 2**10, "MB": 1e6, "MiB": 2**20, "GB": 1e9, "GiB": 2**30}, "MB")


def parse_latency_ms(text: str, name: str = "latency") -> float:
    """Milliseconds of ``20ms``, ``0.02s``, ``500us``.

    Args:
        text: as the user typed it.
        name: as the user knows it (``"--latency"``), for the error.

    Raises:
        QuantityError: the unit is missing or unknown, or the number is not positive and finite.
    """
    return _parse(text, name, _LATENCY)


def parse_count(text: str, name: str = "count") -> float:
    """MACs or parameters of ``300M``, ``1.2G``, ``5k``. Arguments and errors as :func:`parse_latency_ms`."""
    return _parse(text, name, _COUNT)


def parse_bytes(text: str, name: str = "size") -> float:
    """Bytes of ``20MB``, ``512kB``, ``1MiB``. Arguments and errors as :func:`parse_latency_ms`."""
    return _parse(text, name, _BYTES)


def parse_rate(text: str, name: str = "rate") -> float:
    """Images per second of ``50/s``, ``50fps``, ``2k/s``. Arguments and errors as :func:`parse_latency_ms`."""
    return _parse(text, name, _RATE)


def parse_number(text: str, name: str = "number") -> float:
    """A plain number, in the unit of its column: ``5``, ``0.25``, ``1e6``.

    Raises:
        QuantityError: the text is no finite number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise QuantityError(
            f"{name} {text}", "this is not a number", "write the number alone, in the unit of the column"
        )
    return value


_REMEDY = re.compile(r"(write (?:for example |a point: )?|did you mean )(\S+)(?: or (\S+))?")
"""A remedy with one or two values to type."""


@contextmanager
def typed_behind(words: str, whole: str) -> Iterator[None]:
    """Add the text before a quantity to its errors, so that the remedy can be typed as printed.

    The error for ``20`` becomes ``--budget latency<=20: ...; write "latency<=20ms"``.

    Args:
        words: the text before the quantity.
        whole: the whole text, with its option.
    """
    try:
        yield
    except QuantityError as error:
        remedy, said = error.remedy, _REMEDY.fullmatch(error.remedy)
        if said:
            quote = '"' if set(words) & set("<>") else ""  # without quotes a shell would redirect
            remedy = said[1] + " or ".join(f"{quote}{words}{value}{quote}" for value in said.groups()[1:] if value)
        raise QuantityError(whole, error.rule, remedy) from error


def format_count(count: float) -> str:
    """``300M``, ``1.2G``, ``5k``: four significant digits."""
    return _format(count, (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))).replace(" ", "")


def format_bytes(size: float) -> str:
    """``20 MB``, ``512 kB``: four significant digits."""
    return _format(size, (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)))


def format_quantity(value: float, unit: str, *, up: bool = False, down: bool = False) -> str:
    """A value with its unit for messages: ``62.34M MACs``, ``20 ms``, ``4.1 MB``.

    Args:
        value: in ``unit``.
        unit: ``"ms"``, ``"B"``, ``"MACs"``, ``"params"``, or any other, which follows the number.
        up: round up, so that a minimum can be used as a budget.
        down: round down, so that a maximum can be used as a budget.
    """
    if (up or down) and math.isfinite(value) and value > 0:
        step = 10.0 ** (math.floor(math.log10(value)) - 3)
        value = (math.ceil(value / step - 1e-9) if up else math.floor(value / step + 1e-9)) * step
    if unit == "B":
        return format_bytes(value)
    if unit in ("MACs", "params"):
        return f"{format_count(value)} {unit}"
    return f"{value:.4g} {unit}".strip()


def _format(value: float, units: tuple[tuple[str, float], ...]) -> str:
    unit, factor = next((u for u in units if abs(value) >= u[1]), units[-1])
    return f"{value / factor:.4g} {unit}"


def _parse(text: str, name: str, kind: _Kind) -> float:
    given = f"{name} {text}"
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise QuantityError(given, "this is not a quantity", _without_comma(text.strip(), kind))
    number, unit = float(match["number"]), match["unit"]
    if not math.isfinite(number) or number <= 0:
        raise QuantityError(given, f"a {kind.noun} is positive and finite", f"write for example 20{kind.usual}")
    if not unit:
        raise QuantityError(given, "a quantity needs a unit", f"write {_with_unit(match['number'], kind)}")
    if unit not in kind.units:
        same = [u for u in kind.units if u.lower() == unit.lower()]
        remedy = f"did you mean {match['number']}{same[0]}?" if same else f"use {kind.listed}"
        raise QuantityError(given, f"{unit!r} is no unit of {kind.noun} here", remedy)
    # In decimal, so that 312.659216M is 312659216 and a subnet exactly at the budget is not lost to rounding.
    value = float(Decimal(match["number"]) * Decimal(repr(kind.units[unit])))
    if not math.isfinite(value) or value <= 0:
        raise QuantityError(given, f"a {kind.noun} is positive and finite", f"write for example 20{kind.usual}")
    return value


def _with_unit(number: str, kind: _Kind) -> str:
    """A number without a unit as it was probably meant: in the usual unit, or as it is if it is a large count or size."""
    value = Decimal(number)
    if kind not in (_COUNT, _BYTES) or value < PLAIN_FROM:
        return f"{number}{kind.usual}"
    decimal = {unit: Decimal(repr(factor)) for unit, factor in kind.units.items() if "i" not in unit}
    unit, factor = max(((u, f) for u, f in decimal.items() if f <= value), key=lambda known: known[1])
    return f"{(value / factor).normalize():f}{unit}"


def _without_comma(text: str, kind: _Kind) -> str:
    """The remedy for text that is no quantity: a comma may be a decimal point, or separate thousands."""
    match = re.fullmatch(r"(\d+),(\d+)\s*(\S*)", text)
    if match is None:
        return f"write for example 20{kind.usual}"
    whole, rest, unit = match[1], match[2], match[3] or kind.usual
    point = f"{whole}.{rest}{unit}"
    return f"write {whole}{rest}{unit} or {point}" if len(rest) == 3 else f"write a point: {point}"
