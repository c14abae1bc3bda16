"""One slot of an ONNX file's network: its ops, its elastic dimensions, and its layer at each setting."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from hwnas.space import LayerSpec
from hwnas.space.ops import Add, Concat, Conv, GroupNorm, Linear, Op, Reshape, Shape, Slice
from hwnas.supernet.onnx._group import WIDTHS, Group, Parts, Place
from hwnas.supernet.onnx._stretches import is_residual
from hwnas.supernet.onnx._widths import column, groups, is_depthwise, is_grouped, together

SMALLEST_KERNEL = 3


@dataclass(frozen=True)
class ElasticSlot:
    """The ops of one slot at their largest, numbered within the slot.

    Attributes:
        name: of the slot.
        input_shape: at the file's own image size.
        ops: named within the slot.
    """

    name: str
    input_shape: Shape
    ops: tuple[Op, ...]

    @cached_property
    def groups(self) -> list[Group]:
        """Groups of inner channels that can be reduced."""
        return groups(self.input_shape, self.ops)

    @cached_property
    def widths(self) -> tuple[float, ...]:
        """Shares of the inner channels that lead to different numbers; empty if there is no choice."""
        settings = {tuple(group.kept(width) for group in self.groups): width for width in WIDTHS}
        found = tuple(sorted(settings.values()))
        return found if len(found) > 1 else ()

    @cached_property
    def kernels(self) -> tuple[int, ...]:
        """Choices of the largest depthwise kernel; empty if there is no choice."""
        largest = max((k for op in self.ops if (k := square_kernel(op))), default=0)
        return tuple(range(SMALLEST_KERNEL, largest + 1, 2)) if largest > SMALLEST_KERNEL else ()

    @cached_property
    def droppable(self) -> bool:
        """Whether the slot can be dropped, because it only adds to its input."""
        return is_residual(self.ops) and self.ops[-1].shape == self.input_shape

    @property
    def is_block(self) -> bool:
        """Whether the slot can be part of a stage."""
        return bool(self.groups) or any(isinstance(op, Add) for op in self.ops)

    def layer(self, input_shape: Shape, width: float = 1.0, kernel: int | None = None) -> LayerSpec:
        """The layer for an input shape, a share of the inner channels, and a largest depthwise kernel."""
        return _layer(self, input_shape, width, kernel)

    @cached_property
    def rows(self) -> dict[int, Parts]:
        """The elastic parts of the rows of weights, by the positions of their ops, wherever they are not all rows."""
        return _parts((group, place) for group in self.groups for place in (*group.makers, *group.passers))

    @cached_property
    def columns(self) -> dict[int, Parts]:
        """The elastic parts of the columns of weights, as `rows`."""
        return _parts((group, place) for group in self.groups for place in group.readers)

    def __hash__(self) -> int:
        return hash((self.name, self.input_shape))


def square_kernel(op: Op) -> int | None:
    """The kernel of a depthwise convolution if it can shrink to its centre: square, odd, padded enough; else None."""
    if not (isinstance(op, Conv) and is_depthwise(op)) or op.kernel[0] != op.kernel[1] or op.kernel[0] % 2 == 0:
        return None
    margin = (op.kernel[0] - SMALLEST_KERNEL) // 2
    return op.kernel[0] if all(pad >= margin * d for pad, d in zip(op.pads, op.dilation * 2, strict=True)) else None


def _parts(places: Iterable[tuple[Group, Place]]) -> dict[int, Parts]:
    found: dict[int, list[tuple[Place, Group]]] = defaultdict(list)
    for group, place in places:
        if group.size != place.whole:
            found[place.op].append((place, group))
    return {op: Parts(each) for op, each in found.items()}


@lru_cache(maxsize=65536)
def _layer(slot: ElasticSlot, input_shape: Shape, width: float, kernel: int | None) -> LayerSpec:
    lost: dict[int, dict[int, int]] = defaultdict(dict)  # channels, by op and the start of their group
    for group in slot.groups:
        for place in (*group.makers, *group.slices):
            lost[place.op][place.start] = group.size - group.kept(width)
    shapes, ops = [input_shape], []
    for i, op in enumerate(slot.ops):
        fitted = _fitted(replace(op, in_shapes=tuple(shapes[x] for x in op.inputs)), op, lost[i])
        if kernel is not None:
            fitted = _shrunk(fitted, kernel)
        ops.append(fitted)
        shapes.append(fitted.shape)
    return LayerSpec(_key(input_shape, ops), input_shape, tuple(ops))


def _fitted(op: Op, largest: Op, lost: Mapping[int, int]) -> Op:
    """An op adapted to the reduced channels of its inputs; ``lost`` are those of its outputs, or before or in a slice."""
    if isinstance(op, Conv):
        if is_grouped(largest):
            return replace(op, channels=op.in_shape[0], groups=op.in_shape[0] // together(largest))
        return replace(op, channels=op.channels - sum(lost.values()))
    if isinstance(op, GroupNorm) and isinstance(largest, GroupNorm):
        return replace(op, groups=op.in_shape[0] // together(largest))
    if isinstance(op, Linear):
        return replace(op, features=op.features - sum(lost.values()))
    if isinstance(op, Slice):
        start, stop = (bound - sum(n for at, n in lost.items() if at < bound) for bound in (op.start, op.stop))
        return replace(op, start=start, stop=stop)
    if isinstance(op, Reshape) and isinstance(largest, Reshape) and column(largest):
        return replace(op, to=(op.in_shape[0], *op.to[1:]))
    return op


def _shrunk(op: Op, kernel: int) -> Op:
    own = square_kernel(op)
    if own is None or own <= kernel or not isinstance(op, Conv):
        return op
    cut = (own - kernel) // 2
    top, left, bottom, right = (pad - cut * d for pad, d in zip(op.pads, op.dilation * 2, strict=True))
    return replace(op, kernel=(kernel, kernel), pads=(top, left, bottom, right))


def _key(input_shape: Shape, ops: Sequence[Op]) -> str:
    """Kind and shapes for readers, and a digest of everything in the ops that latency depends on.

    Batch norms are folded before a layer runs, so a convolution has the same key with and without one.
    """
    kinds = {type(op) for op in ops}
    kind = "residual" if Add in kinds else "branches" if Concat in kinds else "chain"
    run = [replace(op, bias=op.bias or op.bn, bn=False) if isinstance(op, Conv) else op for op in ops]
    digest = hashlib.sha256(repr(run).encode()).hexdigest()[:10]
    return f"{kind}-i{_sizes(input_shape)}-o{_sizes(ops[-1].shape)}-{digest}"


def _sizes(shape: Shape) -> str:
    return "x".join(str(size) for size in (*shape[1:], shape[0]))
