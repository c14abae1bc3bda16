"""Peak activation memory: the most bytes of feature maps that are alive at once while a subnet runs.

Layers run one after another, and each holds its input and what it computes. So the peak of a subnet is the largest peak of its
layers: a maximum over slots instead of a sum. A value that one layer keeps for a later one counts in these two layers, but not in
those between. For masks this makes little difference; for feature maps the peak is a lower bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space._cost import AdditiveCost
from hwnas.space._factors import Factor, layer_factors, merged, table_entries, without_nan
from hwnas.space._layer import LayerSpec
from hwnas.space._space import Population, SearchSpace
from hwnas.space.ops import Add, Op

BYTES = 4
"""Of one activation."""


@lru_cache(maxsize=65536)
def activation_peak(layer: LayerSpec) -> int:
    """Most activations of one sample that are alive at once in a layer, including its input and the values it reads by name.

    Buffers are shared as in onnxruntime: activations, gates and additions overwrite an input that nothing else reads; a
    convolution whose result is only added to another value overwrites that value; flattening and reshaping copy nothing. See
    `Op.in_place`, `Op.view` and `Op.accumulates`.
    """
    uses = Counter(i for op in layer.ops for i in op.inputs)
    uses[len(layer.ops)] += 1  # the next layer
    target = _added_to(layer.ops, uses)
    buffer, sizes = {0: 0}, {0: prod(layer.input_shape)}  # the buffer of each value; the size of each buffer
    peak = sizes[0]
    for value, op in enumerate(layer.ops, start=1):
        place = next((buffer[op.inputs[i]] for i in op.in_place if _fits(op, i, uses, buffer)), None)
        if value in target:
            place = buffer[target[value]]
        if op.view:
            place = buffer[op.inputs[0]]
        if place is None:
            place = value
            sizes[place] = prod(op.shape)
        buffer[value] = place
        peak = max(peak, sum(sizes.values()) + op.workspace)
        for i in op.inputs:
            uses[i] -= 1
        alive = {buffer[i] for i in buffer if uses[i] > 0}
        sizes = {b: size for b, size in sizes.items() if b in alive}
    return peak


def _fits(op: Op, position: int, uses: Counter[int], buffer: dict[int, int]) -> bool:
    """Whether no other op reads the buffer of an input, so that this op may overwrite it."""
    i = op.inputs[position]
    readers = sum(uses[j] for j in buffer if buffer[j] == buffer[i])
    return readers == Counter(op.inputs)[i]


def _added_to(ops: Sequence[Op], uses: Counter[int]) -> dict[int, int]:
    """Values that are written into the buffer of another value that they are added to; and that other value."""
    found = {}
    for op in ops:
        if not isinstance(op, Add):
            continue
        other, last = sorted(op.inputs)
        if last > 0 and ops[last - 1].accumulates and uses[last] == 1 and other != last:
            later = sum(other in o.inputs for o in ops[last - 1 :])
            if later == 1:
                found[last] = other
    return found


class PeakMemory:
    """``peak(x) -> (n,)`` bytes of float32 activations, for an ``(n, g)`` canonical population.

    Args:
        space: of the rows.
        batch: images per run.
    """

    def __init__(self, space: SearchSpace, batch: int = 1) -> None:
        self.space = space
        self.batch = batch
        self.factors = merged(layer_factors(space, lambda layer: activation_peak(layer) * BYTES * batch), np.maximum)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Peak of each row.

        Raises:
            SpaceError: a row is not canonical, or outside the domain.
        """
        peak = np.zeros(len(x))
        for term in table_entries(self.factors, self.space.checked(x)):
            np.maximum(peak, term, out=peak)  # NaN stays
        return without_nan(peak, self.space)

    def within(self, space: SearchSpace) -> PeakMemory:
        """The same metric on the domain of ``space``."""
        return PeakMemory(space, self.batch)

    def at_most(self, upper: float) -> list[Factor]:
        """The budget as terms of a sum: factors that are 0 on rows with a peak of at most ``upper``, and NaN elsewhere."""
        return [Factor(f.genes, np.where(f.table <= upper, 0.0, np.nan)) for f in self.factors]

    def minimum(self) -> tuple[float, Population]:
        """The exact minimum over the domain and a canonical ``(g,)`` row that attains it.

        Bisection over the values in the tables: a bound can be met if the smallest number of factors above it is 0.
        """
        finite = [f.table[np.isfinite(f.table)] for f in self.factors]
        values = np.unique(np.concatenate([np.zeros(0 if finite else 1), *finite]))
        low, high = 0, len(values) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._excess(values[middle])[0] == 0 else (middle + 1, high)
        return float(values[low]), self._excess(values[low])[1]

    def _excess(self, bound: float) -> tuple[float, Population]:
        """The smallest number of factors above a bound, and a row that attains it."""
        over = [Factor(f.genes, np.where(np.isnan(f.table), np.nan, f.table > bound)) for f in self.factors]
        return AdditiveCost(self.space, over).minimum()
