"""Activations, recognised by what they compute, not by how they are written.

Exporters write an activation in many ways: hard swish as one node or as add, clip, divide and multiply; GELU with an error
function, or with the hyperbolic tangent of a cubic. A chain of elementwise nodes is a function of one number, and two functions
count as the same if they agree on a dense grid.
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
"""The points at which functions are compared: dense around the bends, and far enough to distinguish relu from relu6."""

CLOSE = 2e-4
"""Tolerance of the comparison; exporters write constants with as few as five digits."""


@dataclass(eq=False)
class Curve:
    """An elementwise function of a value.

    Attributes:
        root: number of the value.
        samples: of the function at `GRID`.
        node: the node that computes it; None for the value itself.
        parts: the curves that this node reads, in order.
        compute: evaluates the node on samples of its parts.
        number: of the value that holds the function, once an op computes it.
    """

    root: int
    samples: Samples
    node: onnx.NodeProto | None = None
    parts: tuple[Curve, ...] = ()
    compute: Callable[[Sequence[Samples]], Samples] | None = None
    number: int | None = None

    @classmethod
    def of(cls, number: int) -> Curve:
        """The curve of a value itself."""
        return cls(number, GRID, number=number)

    @classmethod
    def given_by(
        cls, node: onnx.NodeProto, parts: Sequence[Curve], compute: Callable[[Sequence[Samples]], Samples]
    ) -> Curve:
        """The curve of a node that reads curves of one value."""
        return cls(parts[0].root, compute([part.samples for part in parts]), node, tuple(parts), compute)

    def line(self) -> tuple[float, float] | None:
        """Slope and offset if it is a straight line; else None."""
        if not np.isfinite(self.samples).all():  # a root of negative numbers
            return None
        slope = (float(self.samples[1]) - float(self.samples[0])) / (GRID[1] - GRID[0])
        offset = float(self.samples[0] - slope * GRID[0])
        scale = float(np.abs(self.samples).max())
        return (slope, offset) if np.allclose(self.samples, slope * GRID + offset, atol=1e-6 * scale) else None

    def slope(self) -> float | None:
        """The slope of negative values if it is a leaky relu; else None."""
        slope = float(self.samples[0] / GRID[0])
        bent = np.where(GRID < 0, slope * GRID, GRID)
        return slope if np.allclose(self.samples, bent, CLOSE, CLOSE) else None

    def power(self) -> tuple[float, float] | None:
        """Exponent and least base if it is a power of the larger of the value and a least one, or of positive values; else None."""
        of_100, of_200, of_least = self.samples[GRID == 100][0], self.samples[-1], self.samples[0]
        with np.errstate(all="ignore"):
            exponent = np.log2(of_200 / of_100)
            least = np.nan_to_num(of_least ** (1 / exponent))
            expected = np.maximum(GRID, least) ** exponent
        known = np.isfinite(self.samples)
        fits = exponent > 0 and least >= 0 and np.allclose(self.samples[known], expected[known], CLOSE, 0)
        return (float(exponent), float(least)) if fits else None

    def function(self) -> Function | None:
        """The activation that equals this function; else None."""
        return next((name for name, known in _KNOWN.items() if np.allclose(self.samples, known, CLOSE, CLOSE)), None)

    def ancestors(self) -> Iterator[Curve]:
        """The inner curves of which it is composed, nearest first."""
        for part in self.parts:
            if part.parts:
                yield part
        for part in self.parts:
            yield from part.ancestors()

    def seen_from(self, inner: Curve) -> Samples | None:
        """Its samples as a function of ``inner``; None if it also depends on the root in another way."""
        if self is inner:
            return GRID
        if self.compute is None:
            return None
        parts = [samples for part in self.parts if (samples := part.seen_from(inner)) is not None]
        return self.compute(parts) if len(parts) == len(self.parts) else None


class _Numpy:
    """`hwnas.space.ops.Maths` with samples."""

    clip = staticmethod(np.clip)
    exp = staticmethod(np.exp)
    tanh = staticmethod(np.tanh)

    def erf(self, x: Samples) -> Samples:
        return np.array([math.erf(value) for value in x])

    def sigmoid(self, x: Samples) -> Samples:
        return 0.5 * (1 + np.tanh(x / 2))

    def softplus(self, x: Samples) -> Samples:
        return np.logaddexp(0, x)


_KNOWN: dict[Function, Samples] = {name: formula(_Numpy(), GRID) for name, formula in FORMULAS.items()}
