"""The elastic network of an ONNX file: its slots, stages and image sizes."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hwnas.space import SearchSpace
from hwnas.space.ops import Op, Shape
from hwnas.supernet.onnx._genes import Stage, genes_and_slots
from hwnas.supernet.onnx._slot import ElasticSlot
from hwnas.supernet.onnx._stretches import stretches, within

RESOLUTIONS = (0.5, 0.625, 0.75, 0.875, 1.0)
"""Shares of the file's own image size."""

ONE_IN = 3
"""One in so many of a stage's blocks always runs."""


@dataclass(frozen=True)
class ElasticNetwork:
    """A network from an image to logits, cut into slots.

    Attributes:
        name: of its space.
        input_shape: ``(channels, height, width)`` of the largest image.
        ops: of the whole network.
    """

    name: str
    input_shape: Shape
    ops: tuple[Op, ...]

    @cached_property
    def positions(self) -> list[range]:
        """The positions of each slot's ops."""
        return stretches(self.ops)

    @cached_property
    def slots(self) -> list[ElasticSlot]:
        """The slots: their ops, and their elastic dimensions."""
        found = []
        for number, stretch in enumerate(self.positions):
            entering = self.ops[stretch.start - 1].shape if number else self.input_shape
            inside = zip(stretch, within(self.ops, stretch), strict=True)
            ops = _named([replace(self.ops[i], inputs=inputs) for i, inputs in inside])
            found.append(ElasticSlot(self._slot_name(number), entering, ops))
        return found

    @cached_property
    def places(self) -> dict[str, tuple[ElasticSlot, int]]:
        """The slot of each op, and its position in it, by ``"<slot>/<op>"``."""
        return {f"{slot.name}/{op.name}": (slot, i) for slot in self.slots for i, op in enumerate(slot.ops)}

    def _slot_name(self, number: int) -> str:
        return "stem" if not number else "head" if number + 1 == len(self.positions) else f"blocks.{number - 1}"

    @cached_property
    def stages(self) -> list[Stage]:
        """Runs of residual blocks of one shape, each with the block before it that makes this shape, if there is one."""
        found, i = [], 0
        while i < len(self.slots):
            n = 0
            while i + n < len(self.slots) and self.slots[i + n].droppable:
                n += 1
            if n:
                first = i - 1 if i and self.slots[i - 1].is_block else i
                members = range(first, i + n)
                fewest = math.ceil(len(members) / ONE_IN)
                found.append(Stage(members, tuple(range(fewest, len(members) + 1))))
            i += max(n, 1)
        return [stage for stage in found if len(stage.depths) > 1]

    @cached_property
    def shapes(self) -> dict[int, list[Shape]]:
        """Input shapes of the slots by image size, for all sizes at which the network's weights and output are the same."""
        channels, height, width = self.input_shape
        if height != width:
            return {height: self._entering(self.input_shape)}
        unit = 32 if height >= 160 else 8
        sizes = {max(unit, round(height * share / unit) * unit) for share in RESOLUTIONS[:-1]} - {height}
        found = {}
        for size in sorted({s for s in sizes if s < height}):
            try:
                found[size] = self._entering((channels, size, size))
            except _NotThisSize:
                continue
        return found | {height: self._entering(self.input_shape)}

    def _entering(self, shape: Shape) -> list[Shape]:
        found = []
        for slot in self.slots:
            found.append(shape)
            layer = slot.layer(shape)
            same = all(a.weights == b.weights for a, b in zip(layer.ops, slot.ops, strict=True))
            if not same or not all(op.fits for op in layer.ops):
                raise _NotThisSize
            shape = layer.output_shape
        if shape != self.ops[-1].shape:
            raise _NotThisSize
        return found

    @cached_property
    def space(self) -> SearchSpace:
        """The search space."""
        return SearchSpace(self.name, *genes_and_slots(self.slots, self.stages, self.shapes))


class _NotThisSize(Exception):
    """At this image size the network would have other weights or outputs."""


def elastic(name: str, input_shape: Shape, ops: Sequence[Op]) -> ElasticNetwork:
    """The elastic network of some ops.

    Args:
        name: of the file. The space's name adds a digest of the ops, so that it is unique.
        input_shape: of the image.
        ops: from the image to logits.
    """
    digest = hashlib.sha256(repr([input_shape, ops]).encode()).hexdigest()[:6]
    return ElasticNetwork(f"{name}.{digest}", input_shape, tuple(ops))


def _named(ops: Sequence[Op]) -> tuple[Op, ...]:
    """Ops with names by kind and number within their slot: ``conv1``, ``conv2``, ``add1``."""
    taken: Counter[str] = Counter()
    found = []
    for op in ops:
        kind = type(op).__name__.lower()
        taken[kind] += 1
        found.append(replace(op, name=f"{kind}{taken[kind]}"))
    return tuple(found)
