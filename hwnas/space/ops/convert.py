"""Conversion between precisions."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.ops._op import Op


@dataclass(frozen=True)
class Convert(Op):
    """The same values in the precision ``to``; no operation in a network of one precision."""

    to: str

    view = True
