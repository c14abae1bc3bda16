"""Nodes that move elements. The batch must stay the first axis."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np

from hwnas.graph.read._reading import Reading, Value, reads
from hwnas.space import Shape
from hwnas.space.ops import Concat, Flatten, Reshape, Shuffle, Slice, Take, Transpose


@reads("Shape")
def _shape(at: Reading) -> Value:
    """A constant, because the image's size is known; the batch counts as 1."""
    whole = np.array((1, *at.shape()), dtype=np.int64)
    return whole[at.attributes.get("start", 0) : at.attributes.get("end")]


@reads("Flatten")
def _flatten(at: Reading) -> Value:
    if at.attributes.get("axis", 1) != 1:
        raise at.error("it flattens the batch, too")
    return reshaped(at, (prod(at.shape()),))


@reads("Reshape")
def _reshape(at: Reading) -> Value:
    wanted, whole = at.constant(1, "shape").tolist(), (1, *at.shape())
    wanted = [whole[i] if size == 0 and not at.attributes.get("allowzero") else size for i, size in enumerate(wanted)]
    if wanted[:1] == [at.graph.batch]:
        wanted[0] = 1
    rest = prod(size for size in wanted if size != -1) or 1
    wanted = [prod(whole) // rest if size == -1 else size for size in wanted]
    if wanted[:1] != [1] or prod(wanted) != prod(whole):
        rule = f"it makes {wanted} of {whole}, and the batch must stay the first axis"
        raise at.error(rule, "write that layer with the batch first")
    return reshaped(at, tuple(wanted[1:]))


@reads("Squeeze")
def _squeeze(at: Reading) -> Value:
    axes, whole = at.setting(1, "axes"), (1, *at.shape())
    dropped = {i for i, size in enumerate(whole) if size == 1 and i} if axes is None else set()
    dropped |= {int(axis) % len(whole) for axis in (axes.reshape(-1) if axes is not None else ())}
    if 0 in dropped:
        raise at.error("it drops the batch axis")
    return reshaped(at, tuple(size for i, size in enumerate(whole) if i and i not in dropped))


@reads("Unsqueeze")
def _unsqueeze(at: Reading) -> Value:
    axes, whole = at.setting(1, "axes"), [1, *at.shape()]
    given = [] if axes is None else axes.reshape(-1).tolist()
    for axis in sorted(axis % (len(whole) + len(given)) for axis in given):
        whole.insert(axis, 1)
    return reshaped(at, tuple(whole[1:]))


def reshaped(at: Reading, to: Shape) -> int:
    """A value in another shape. The last step of a channel shuffle becomes the shuffle; two reshapes are one, or none."""
    x = at.value()
    while x and isinstance(before := at.list.ops[x - 1], (Flatten, Reshape)):
        (x,) = before.inputs
    if to == at.list.shape(x):
        return x
    taken = at.list.ops[x - 1] if x else None
    if isinstance(taken, Take) and to == tuple(np.insert(taken.shape, taken.axis, 1)):  # one channel as a feature map
        return at.add(Slice, *taken.inputs, axis=taken.axis, start=taken.index, stop=taken.index + 1)
    rows, groups = at.shuffled.get(x, (None, 0))
    if rows is not None and at.list.shape(rows) == to:
        return at.add(Shuffle, rows, groups=groups)
    return at.add(Flatten, x) if len(to) == 1 else at.add(Reshape, x, to=to)


@reads("Transpose")
def _transpose(at: Reading) -> Value:
    rank = len(at.shape()) + 1
    order = at.attributes.get("perm", list(range(rank))[::-1])
    if order[0] != 0:
        raise at.error("it moves the batch axis, which must stay the first", "write that layer with the batch first")
    axes = tuple(axis - 1 for axis in order[1:])
    x = at.value()
    before = at.list.ops[x - 1] if x else None
    if isinstance(before, Transpose):  # two transpositions are one, or none
        (x,), axes = before.inputs, tuple(before.axes[axis] for axis in axes)
    if axes == tuple(range(rank - 1)):
        return x
    y = at.add(Transpose, x, axes=axes)
    if isinstance(before, Reshape) and axes == (1, 0, *range(2, rank - 1)) and before.in_shape[1:] == before.to[2:]:
        at.shuffled[y] = (before.inputs[0], before.to[0])
    return y


@reads("Gather")
def _gather(at: Reading) -> Value:
    """One element of an axis: a channel, or what a pooling left of height and width."""
    index, shape = at.constant(1, "index"), at.shape()
    axis = at.attributes.get("axis", 0) % (len(shape) + 1) - 1
    if index.ndim or axis < 0:
        raise at.error("it takes more than one element of an axis, or of the batch")
    if shape[axis] == 1:
        return reshaped(at, (*shape[:axis], *shape[axis + 1 :]))
    return at.add(Take, at.value(), axis=axis, index=int(index) % shape[axis])


@reads("Concat")
def _concat(at: Reading) -> Value:
    """Dense networks join all earlier layers each time; values that are joined already are not joined again."""
    values = [at.value(i) for i in range(len(at.node.input))]
    rank = len(at.list.shape(values[0])) + 1
    axis = at.attributes["axis"] % rank
    if axis == 0:
        raise at.error("it joins along the batch axis")
    known = [n for n in range(2, len(values) + 1) if (axis, *values[:n]) in at.joined]
    if known:
        values = [at.joined[axis, *values[: known[-1]]], *values[known[-1] :]]
    if len(values) == 1:
        return values[0]
    y = at.add(Concat, *values, axis=axis - 1)
    at.joined[axis, *(at.value(i) for i in range(len(at.node.input)))] = y
    return y


@reads("Split")
def _split(at: Reading) -> list[Value]:
    rank = len(at.shape()) + 1
    axis, parts = at.attributes.get("axis", 0) % rank, at.setting(1, "split")
    if axis == 0:
        raise at.error("it splits the batch")
    size, n = at.shape()[axis - 1], len(at.node.output)
    each = -(-size // n)
    sizes = [min(each, size - i * each) for i in range(n)] if parts is None else parts.astype(int).tolist()
    ends = np.cumsum([0, *sizes]).tolist()
    x = at.value()
    return [at.add(Slice, x, axis=axis - 1, start=a, stop=b) for a, b in pairwise(ends)]


@reads("Slice")
def _slice(at: Reading) -> Value:
    shape = at.shape()
    starts, ends, axes, steps = (at.setting(i, name) for i, name in enumerate(("starts", "ends", "axes", "steps"), 1))
    if starts is None or ends is None or starts.size != 1 or (steps is not None and np.any(steps != 1)):
        raise at.error("it takes more than one stretch of one axis")
    axis = 0 if axes is None else int(axes.reshape(-1)[0]) % (len(shape) + 1)
    if axis == 0:
        raise at.error("it slices the batch")
    start, stop, _ = slice(int(starts.reshape(-1)[0]), int(ends.reshape(-1)[0])).indices(shape[axis - 1])
    if (start, stop) == (0, shape[axis - 1]):
        return at.value()
    return at.add(Slice, at.value(), axis=axis - 1, start=start, stop=stop)
