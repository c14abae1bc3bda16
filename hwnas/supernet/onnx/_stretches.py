"""Cutting a network into slots.

A cut is possible at a value through which every later op depends on the earlier ones. Between two such values lies one op, or
several that branch and join: a residual block, an inception module. Slots combine these parts as networks are usually drawn:
a residual block with the activation after its sum, an inverted bottleneck up to its linear projection, a squeeze with the
branches that it feeds, a plain chain up to its pooling (`_chains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hwnas.space.ops import Activation, Add, BatchNorm, Concat, Conv, GroupNorm, Linear, Mul, Op, Pool, PRelu, Shuffle
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
        branched, last = len(part) > 1, ops[part[-1]]
        if branched and isinstance(last, Add):
            starts.add(part.start)
        after: tuple[type[Op], ...] = ()
        if branched and isinstance(last, (Add, Concat)):
            after = (*ACTIVATIONS, Shuffle) if _may_end_activated(ops, part) else (Shuffle,)
        elif not branched and isinstance(last, Pool):
            after = ACTIVATIONS
        elif not branched and isinstance(last, Conv) and not _is_activated(ops, parts, i):
            after = (Pool,)
        if after:
            starts.add(_end(ops, parts, i, after))
    ends = [*sorted(starts - {len(ops)}), len(ops)]
    whole = [range(a, b) for a, b in pairwise(ends)]
    pieces = [piece for stretch in whole for piece in shorter(ops, parts, stretch)]
    return with_inner_channels(ops, parts, _with_weights(ops, pieces))


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


def _end(ops: Sequence[Op], parts: Sequence[range], i: int, kinds: tuple[type[Op], ...]) -> int:
    """The end of a slot whose last part is ``i``, extended by the ops of some kinds that follow it."""
    while i + 1 < len(parts) and len(parts[i + 1]) == 1 and isinstance(ops[parts[i + 1][0]], kinds):
        i += 1
    return parts[i].stop


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
