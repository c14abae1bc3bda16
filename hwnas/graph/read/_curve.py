"""Activations, known by what they compute and not by how they are spelt.

Exporters write one activation in many ways: hard swish as one node or as add, clip, divide, multiply; GELU by an error
function, or by a cubic in a tangens hyperbolicus. A chain of nodes of each element alone is a function of one number,
and two functions are the same if they are on a dense grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.space.ops import FORMULAS, Function

if TYPE_CHECKING:
    import onnx

Samples = NDArray[np.float64]

GRID: Samples = np.concatenate([np.linspace(-20, 20, 4001), np.linspace(-200, 200, 401)])
"""Where functions are compared. Dense around the bends, and far enough to tell relu from relu6."""

CLOSE = 2e-4
"""Exporters write constants with as few as five digits."""


@dataclass(eq=False)
class Curve:
    """A function of each element of a value.

    Attributes:
        root: number of the value.
        samples: at `GRID`.
        node: that gives it; None for the value itself.
        parts: the curves that this node reads, in its order.
        compute: what the node does, from samples of its parts.
        number: of the value that it has become, if anything asked for it.
    """

    root: int
    samples: Samples
    node: onnx.NodeProto | None = None
    parts: tuple[Curve, ...] = ()
    compute: Callable[[Sequence[Samples]], Samples] | None = None
    number: int | None = None

    @classmethod
    def of(cls, number: int) -> Curve:
        """A value itself."""
        return cls(number, GRID, number=number)

    @classmethod
    def given_by(
        cls, node: onnx.NodeProto, parts: Sequence[Curve], compute: Callable[[Sequence[Samples]], Samples]
    ) -> Curve:
        """What a node makes of curves of one value."""
        return cls(parts[0].root, compute([part.samples for part in parts]), node, tuple(parts), compute)

    def line(self) -> tuple[float, float] | None:
        """Slope and offset, if it is a straight line."""
        slope = float((self.samples[1] - self.samples[0]) / (GRID[1] - GRID[0]))
        offset = float(self.samples[0] - slope * GRID[0])
        scale = float(np.abs(self.samples).max())
        return (slope, offset) if np.allclose(self.samples, slope * GRID + offset, atol=1e-6 * scale) else None

    def slope(self) -> float | None:
        """Of its negative side, if it is a leaky relu."""
        slope = float(self.samples[0] / GRID[0])
        bent = np.where(GRID < 0, slope * GRID, GRID)
        return slope if np.allclose(self.samples, bent, CLOSE, CLOSE) else None

    def function(self) -> Function | None:
        """The activation that it is."""
        return next((name for name, known in _KNOWN.items() if np.allclose(self.samples, known, CLOSE, CLOSE)), None)

    def ancestors(self) -> Iterator[Curve]:
        """The curves that it is made of, nearest first."""
        for part in self.parts:
            if part.parts:
                yield part
        for part in self.parts:
            yield from part.ancestors()

    def seen_from(self, inner: Curve) -> Samples | None:
        """Its samples as a function of ``inner``; None if it depends on the root by another way, too."""
        if self is inner:
            return GRID
        if self.compute is None:
            return None
        parts = [part.seen_from(inner) for part in self.parts]
        return (
            None if any(part is None for part in parts) else self.compute([part for part in parts if part is not None])
        )


class _Numpy:
    """`hwnas.space.ops.Maths` of samples."""

    clip = staticmethod(np.clip)
    exp = staticmethod(np.exp)
    tanh = staticmethod(np.tanh)

    def erf(self, x: Samples) -> Samples:
        return np.array([math.erf(value) for value in x])

    def sigmoid(self, x: Samples) -> Samples:
        return 0.5 * (1 + np.tanh(x / 2))


_KNOWN: dict[Function, Samples] = {name: formula(_Numpy(), GRID) for name, formula in FORMULAS.items()}
