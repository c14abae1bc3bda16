"""A network that was read, made elastic: its slots, stages and genes, as a `SearchSpace`."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from hwnas.space import Gene, LayerSpec, SearchSpace, Slot, conditional
from hwnas.space.ops import Op, Shape
from hwnas.supernet.onnx._slot import ElasticSlot
from hwnas.supernet.onnx._stretches import stretches, within

RESOLUTIONS = (0.5, 0.625, 0.75, 0.875, 1.0)
"""Shares of the file's own image size."""

FEWEST_BLOCKS = 1 / 3
"""Of a stage's blocks, this share always runs."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one shape, of which the last ones may be dropped.

    Attributes:
        members: numbers of its slots, in order.
        depths: how many of them may run.
    """

    members: range
    depths: tuple[int, ...]


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
        """Of the ops of each slot."""
        return stretches(self.ops)

    @cached_property
    def slots(self) -> list[ElasticSlot]:
        found = []
        for number, stretch in enumerate(self.positions):
            entering = self.ops[stretch.start - 1].shape if number else self.input_shape
            inside = zip(stretch, within(self.ops, stretch), strict=True)
            ops = _named([replace(self.ops[i], inputs=inputs) for i, inputs in inside])
            found.append(ElasticSlot(self._slot_name(number), entering, ops))
        return found

    def _slot_name(self, number: int) -> str:
        return "stem" if not number else "head" if number + 1 == len(self.positions) else f"blocks.{number - 1}"

    @cached_property
    def stages(self) -> list[Stage]:
        """Runs of residual blocks of one shape, with the block that gives this shape where there is one."""
        found, i = [], 0
        while i < len(self.slots):
            n = 0
            while i + n < len(self.slots) and self.slots[i + n].droppable:
                n += 1
            if n:
                first = i - 1 if i and self.slots[i - 1].is_block else i
                members = range(first, i + n)
                fewest = max(1, math.ceil(len(members) * FEWEST_BLOCKS))
                found.append(Stage(members, tuple(range(fewest, len(members) + 1))))
            i += max(n, 1)
        return [stage for stage in found if len(stage.depths) > 1]

    @cached_property
    def shapes(self) -> dict[int, list[Shape]]:
        """What enters each slot, by image size; of the sizes at which the network has the same weights and output."""
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
            if not same or any(size < 1 for op in layer.ops for size in op.shape):
                raise _NotThisSize
            shape = layer.output_shape
        if shape != self.ops[-1].shape:
            raise _NotThisSize
        return found

    @cached_property
    def space(self) -> SearchSpace:
        """Genes ``ks``, ``e``, ``d``, ``r``: of the slots that have them, of the stages, and of the image."""
        genes: list[Gene] = []
        of_slot: list[dict[str, int]] = [{} for _ in self.slots]
        choices: dict[str, list[tuple[float, ...]]] = {
            "ks": [slot.kernels for slot in self.slots],
            "e": [slot.widths for slot in self.slots],
        }
        stage_of = {number: i for i, stage in enumerate(self.stages) for number in stage.members}
        n_layer_genes = sum(bool(c) for each in choices.values() for c in each)
        for group, each in choices.items():
            taken = 0
            for number, values in enumerate(each):
                if values:
                    of_slot[number][group] = len(genes)
                    genes.append(self._conditional(Gene(group, taken, values), number, stage_of, n_layer_genes))
                    taken += 1
        for i, stage in enumerate(self.stages):
            for position, number in enumerate(stage.members):
                if position >= stage.depths[0]:
                    of_slot[number]["d"] = n_layer_genes + i
            genes.append(Gene("d", i, stage.depths))
        if len(self.shapes) > 1:
            for columns in of_slot:
                columns["r"] = len(genes)
            genes.append(Gene("r", None, tuple(self.shapes), role="input"))
        slots = [
            Slot(slot.name, tuple(columns.values()), partial(self._build, number, tuple(columns)))
            for number, (slot, columns) in enumerate(zip(self.slots, of_slot, strict=True))
        ]
        return SearchSpace(self.name, genes, slots)

    def _conditional(self, gene: Gene, number: int, stage_of: dict[int, int], first_depth: int) -> Gene:
        if number not in stage_of:
            return gene
        stage = self.stages[stage_of[number]]
        position = number - stage.members.start
        active = [i for i, depth in enumerate(stage.depths) if depth > position]
        return gene if len(active) == len(stage.depths) else conditional(gene, first_depth + stage_of[number], active)

    def _build(self, number: int, groups: Sequence[str], *values: float) -> LayerSpec | None:
        at = dict(zip(groups, values, strict=True))
        stage = next((stage for stage in self.stages if number in stage.members), None)
        if "d" in at and stage is not None and number - stage.members.start >= at["d"]:
            return None
        size = int(at.get("r", self.input_shape[1]))
        kernel = int(at["ks"]) if "ks" in at else None
        return self.slots[number].layer(self.shapes[size][number], at.get("e", 1.0), kernel)


class _NotThisSize(Exception):
    """The network is another one at this image size."""


def elastic(name: str, input_shape: Shape, ops: Sequence[Op]) -> ElasticNetwork:
    """The elastic network of some ops.

    Args:
        name: of the file; a digest of the ops makes that of the space, so that it is that of one network alone.
        input_shape: of the image.
        ops: from the image to logits.
    """
    digest = hashlib.sha256(repr([input_shape, ops]).encode()).hexdigest()[:6]
    return ElasticNetwork(f"{name}.{digest}", input_shape, tuple(ops))


def _named(ops: Sequence[Op]) -> tuple[Op, ...]:
    """Ops named by kind and number within their slot: ``conv1``, ``conv2``, ``add1``."""
    taken: Counter[str] = Counter()
    found = []
    for op in ops:
        kind = type(op).__name__.lower()
        taken[kind] += 1
        found.append(replace(op, name=f"{kind}{taken[kind]}"))
    return tuple(found)
