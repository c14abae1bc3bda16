"""Slots of plain chains: of parts that end neither in a sum nor in a join.

All channels of a slot's input and output are kept. A chain can be cut nearly everywhere, so the pieces are as short as leaves
each of them inner channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hwnas.space.ops import Add, Concat, Conv, Flatten, Linear, Op
from hwnas.supernet.onnx._widths import is_grouped

MOST_IN_A_CHAIN = 3
"""Convolutions of a slot without branches, if strides allow cuts; an inverted bottleneck has as many."""


def shorter(ops: Sequence[Op], parts: Sequence[range], stretch: range) -> list[range]:
    """The stretch itself; or, if it is a long chain, its pieces between strided convolutions."""
    chain = [part.start for part in _inside(parts, stretch) if len(part) == 1 and isinstance(ops[part.start], Conv)]
    if len(chain) <= MOST_IN_A_CHAIN or not _is_chain(ops, parts, stretch):
        return [stretch]
    cuts = [i for i in chain[1:] if isinstance(op := ops[i], Conv) and max(op.stride) > 1]
    return [range(a, b) for a, b in pairwise([stretch.start, *cuts, stretch.stop])]


def with_inner_channels(ops: Sequence[Op], parts: Sequence[range], found: Sequence[range]) -> list[range]:
    """The stretches, with pieces joined where one of them has no inner channels.

    A piece of a chain with one convolution or linear map is joined to the next. A head with one is joined to what is before it,
    unless that is a residual block. So is a head that flattens a feature map: its first linear map is large, and smaller if the
    convolution before it has fewer channels.
    """
    joined = [found[0]]
    for stretch in found[1:]:
        chains = all(_is_chain(ops, parts, each) for each in (joined[-1], stretch))
        head = stretch.stop == len(ops) and (_maps(ops, parts, stretch) == 1 or _flattens(ops, stretch))
        residual = any(isinstance(ops[part[-1]], Add) for part in _inside(parts, joined[-1]))
        if (chains and _maps(ops, parts, joined[-1]) == 1) or (head and not residual):
            joined[-1] = range(joined[-1].start, stretch.stop)
        else:
            joined.append(stretch)
    return joined


def _inside(parts: Sequence[range], stretch: range) -> list[range]:
    return [part for part in parts if part.start in stretch]


def _is_chain(ops: Sequence[Op], parts: Sequence[range], stretch: range) -> bool:
    return not any(len(part) > 1 and isinstance(ops[part[-1]], (Add, Concat)) for part in _inside(parts, stretch))


def _maps(ops: Sequence[Op], parts: Sequence[range], stretch: range) -> int:
    """The number of convolutions and linear maps that mix all channels, gates not counted."""
    alone = (ops[part.start] for part in _inside(parts, stretch) if len(part) == 1)
    return sum(isinstance(op, (Conv, Linear)) and not is_grouped(op) for op in alone)


def _flattens(ops: Sequence[Op], stretch: range) -> bool:
    return any(isinstance(ops[i], Flatten) and ops[i].shape != ops[i].in_shape[:1] for i in stretch)
