"""Cutting a network into slots.

A cut is possible at a value through which every later op depends on the earlier ones. Between two such values lies one op, or
several that branch and join: a residual block, an inception module. Slots combine these parts as networks are usually drawn:
a residual block with the activation after its sum, an inverted bottleneck up to its linear projection, a squeeze with the
branches that it feeds, branches with the convolution that reads their join, a plain chain up to its pooling (`_chains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hwnas.space.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    GlobalPool,
    GroupNorm,
    Linear,
    Mul,
    Op,
    Pool,
    PRelu,
    Shuffle,
)
from hwnas.supernet.onnx._chains import shorter, with_inner_channels

ACTIVATIONS = (Activation, PRelu)


def segments(ops: Sequence[Op]) -> list[range]:
    """The parts between possible cuts, as ranges of positions. Each reads only the last value of the part before it."""
    last_reader = [0] * (len(ops) + 1)
    for i, op in enumerate(ops):
        for x in op.inputs:
            last_reader[x] = i
    found, start, reach = [], 0, last_reader[0]
    for i in range(len(ops)):
        if reach <= i:
            found.append(range(start, i + 1))
            start = i + 1
        reach = max(reach, last_reader[i + 1])
    return found


def stretches(ops: Sequence[Op]) -> list[range]:
    """The ops of each slot, as ranges of positions."""
    parts = segments(ops)
    starts = {0}
    for i, part in enumerate(parts):
        if len(part) > 1 and isinstance(ops[part[-1]], Add):
            starts.add(part.start)
        last = _last(ops, parts, i)
        if last is not None:
            starts.add(parts[last].stop)
    ends = [*sorted(starts - {len(ops)}), len(ops)]
    whole = [range(a, b) for a, b in pairwise(ends)]
    pieces = [piece for stretch in whole for piece in shorter(ops, parts, stretch)]
    return with_inner_channels(ops, parts, _with_weights(ops, pieces))


def _last(ops: Sequence[Op], parts: Sequence[range], i: int) -> int | None:
    """The last part of the slot that ends with part ``i`` or what follows and belongs to it; None if none ends there."""
    branched, last = len(parts[i]) > 1, ops[parts[i][-1]]
    if branched and isinstance(last, Concat) and (reader := _reader(ops, parts, i)) is not None:
        return reader
    if branched and isinstance(last, (Add, Concat)):
        return _followed(ops, parts, i, (*ACTIVATIONS, Shuffle) if _may_end_activated(ops, parts[i]) else (Shuffle,))
    if not branched and isinstance(last, Pool):
        return _followed(ops, parts, i, ACTIVATIONS)
    if not branched and isinstance(last, Conv) and not _is_activated(ops, parts, i):
        return _followed(ops, parts, i, (Pool,))
    return None


def _reader(ops: Sequence[Op], parts: Sequence[range], i: int) -> int | None:
    """The convolution that reads the join at the end of part ``i``, with its activation and gate, if it belongs to the join.

    It does not if its output could be inner channels of the next slot: those are read by neither a pool nor a join or sum.
    """
    n = _followed(ops, parts, i, (*ACTIVATIONS, BatchNorm)) + 1
    if n >= len(parts) or len(parts[n]) > 1 or not isinstance(ops[parts[n].start], Conv):
        return None
    n = _followed(ops, parts, n, (*ACTIVATIONS, BatchNorm))
    while n + 1 < len(parts) and len(parts[n + 1]) > 1 and isinstance(ops[parts[n + 1][-1]], Mul):
        n += 1
    (following, *_) = parts[n + 1 :] or [range(0)]
    kinds = (Pool, GlobalPool) if len(following) == 1 else (Add, Concat)
    return n if any(isinstance(ops[k], kinds) and following.start in ops[k].inputs for k in following) else None


def is_residual(ops: Sequence[Op]) -> bool:
    """Whether a slot's ops, numbered within it, end by adding to the slot's input, perhaps followed by activations."""
    (part, *rest) = segments(ops)
    last = ops[part[-1]]
    plain = all(len(each) == 1 and isinstance(ops[each[0]], ACTIVATIONS) for each in rest)
    return plain and isinstance(last, Add) and 0 in last.inputs and last.shape == last.in_shapes[0]


def within(ops: Sequence[Op], stretch: range) -> list[tuple[int, ...]]:
    """The inputs of a stretch's ops, numbered within the stretch; 0 is its input."""
    return [tuple(x - stretch.start for x in ops[i].inputs) for i in stretch]


def _may_end_activated(ops: Sequence[Op], part: range) -> bool:
    """Whether the activation after a part belongs to it.

    Not if the part adds to a value without one, as in networks whose blocks begin with activations: a dropped block would take it
    away.
    """
    last, entering = ops[part[-1]], part.start
    if not isinstance(last, Add) or entering not in last.inputs:
        return True
    while entering and isinstance(ops[entering - 1], Pool):
        (entering,) = ops[entering - 1].inputs
    return entering > 0 and isinstance(ops[entering - 1], ACTIVATIONS)


def _is_activated(ops: Sequence[Op], parts: Sequence[range], i: int) -> bool:
    """Whether a norm, an activation or a gate follows part ``i``."""
    if i + 1 == len(parts):
        return False
    after = ops[parts[i + 1][-1]]
    return isinstance(after, (*ACTIVATIONS, BatchNorm, GroupNorm) if len(parts[i + 1]) == 1 else Mul)


def _followed(ops: Sequence[Op], parts: Sequence[range], i: int, kinds: tuple[type[Op], ...]) -> int:
    """The last of the parts from ``i`` on whose ops are of some kinds."""
    while i + 1 < len(parts) and len(parts[i + 1]) == 1 and isinstance(ops[parts[i + 1][0]], kinds):
        i += 1
    return i


def _with_weights(ops: Sequence[Op], found: list[range]) -> list[range]:
    """The stretches, with those of norms and poolings alone joined to the one before, unless that is a residual block."""
    joined: list[range] = []
    for stretch in found:
        heavy = any(isinstance(ops[i], (Conv, Linear)) for i in stretch)
        if joined and not heavy and not any(isinstance(ops[i], Add) for i in joined[-1]):
            joined[-1] = range(joined[-1].start, stretch.stop)
        else:
            joined.append(stretch)
    return joined
