"""Genes of an ONNX file's network, and the slots that they change.

The order is ``ks`` and ``e`` of the slots with a choice of kernels or widths, then ``d`` of the stages, then ``r``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from hwnas.space import Gene, LayerSpec, Shape, Slot, conditional
from hwnas.supernet.onnx._slot import ElasticSlot

Entering = Mapping[int, Sequence[Shape]]
"""Input shapes of the slots, by image size."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one shape, the last of which may be dropped.

    Attributes:
        members: numbers of its slots, in order.
        depths: choices of the number of blocks that run.
    """

    members: range
    depths: tuple[int, ...]

    def needed(self, number: int) -> list[int]:
        """The choices of depth (their indices) with which a slot runs."""
        return [i for i, depth in enumerate(self.depths) if depth > number - self.members.start]


def genes_and_slots(
    slots: Sequence[ElasticSlot], stages: Sequence[Stage], entering: Entering
) -> tuple[list[Gene], list[Slot]]:
    """The genes and slots of a space.

    Args:
        slots: in network order.
        stages: of these slots.
        entering: of these slots; more than one image size makes a gene.
    """
    kinds: list[tuple[str, list[tuple[float, ...]]]] = [
        ("ks", [slot.kernels for slot in slots]),
        ("e", [slot.widths for slot in slots]),
    ]
    depth = sum(bool(choices) for _, each in kinds for choices in each)
    genes: list[Gene] = []
    columns: list[dict[str, int]] = [{} for _ in slots]
    depths = {n: (depth + i, stage.needed(n)) for i, stage in enumerate(stages) for n in stage.members}
    droppable = {n: by for n, by in depths.items() if len(by[1]) < len(stages[by[0] - depth].depths)}
    for group, each in kinds:
        owners = [n for n, choices in enumerate(each) if choices]
        for position, n in enumerate(owners):
            columns[n][group] = len(genes)
            gene = Gene(group, position, each[n])
            genes.append(conditional(gene, *droppable[n]) if n in droppable else gene)
    genes += [Gene("d", i, stage.depths) for i, stage in enumerate(stages)]
    for n, (column, _) in droppable.items():
        columns[n]["d"] = column
    if len(entering) > 1:
        for of_slot in columns:
            of_slot["r"] = len(genes)
        genes.append(Gene("r", None, tuple(entering), role="input", unit="px"))
    builds = [_Build(slot, n, stages, entering) for n, slot in enumerate(slots)]
    return genes, [
        Slot(build.slot.name, tuple(of_slot.values()), partial(build, tuple(of_slot)))
        for build, of_slot in zip(builds, columns, strict=True)
    ]


@dataclass(frozen=True)
class _Build:
    """Builds the layer of a slot."""

    slot: ElasticSlot
    number: int
    stages: Sequence[Stage]
    entering: Entering

    def __call__(self, groups: Sequence[str], *values: float) -> LayerSpec | None:
        """The layer for values of the slot's genes, whose groups are given in the same order; None if it is dropped."""
        at = dict(zip(groups, values, strict=True))
        stage = next((stage for stage in self.stages if self.number in stage.members), None)
        if "d" in at and stage is not None and self.number - stage.members.start >= at["d"]:
            return None
        size = int(at["r"]) if "r" in at else max(self.entering)
        kernel = int(at["ks"]) if "ks" in at else None
        return self.slot.layer(self.entering[size][self.number], at.get("e", 1.0), kernel)
