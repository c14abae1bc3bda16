"""From one precision to another."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Convert(Op):
    """The same values, as numbers of the precision ``to``; where the whole network has one precision it does nothing."""

    to: str

    view = True

    @property
    def shape(self) -> Shape:
        return self.in_shape
