"""Block-wise local distillation: each alternative to a block learns to reproduce the outputs of the parent's block.

Every alternative learns by itself, so a whole library costs a few passes of each block (Puzzle, Bercovich et al. 2024,
arXiv:2411.19146, section 3). The parent runs block by block on all batches, because the inputs and outputs of a block are all
that its alternatives need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hwnas.space import LayerSpec, network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet._execute import forward
from hwnas.supernet._replacement import Batch, parent_row, replacements
from hwnas.task import prompt

LEARNING_RATE = 1e-3
"""Adam's initial learning rate, which falls linearly to 0."""


@dataclass(frozen=True)
class Lesson:
    """The inputs and outputs of one of the parent's blocks, batch by batch.

    Attributes:
        slot: the block's.
        alternatives: to the block, by choice; the parent's own choice is not among them.
        ids: ``(n, t)`` tokens of each batch.
        values: named values of each batch that the embeddings write for all blocks.
        given, made: ``(n, t, channels)`` inputs and outputs of each batch.
    """

    slot: str
    alternatives: Mapping[int, LayerSpec]
    ids: Sequence[Tensor]
    values: Sequence[Mapping[str, Tensor]]
    given: Sequence[Tensor]
    made: Sequence[Tensor]


@torch.no_grad()
def lessons(net: Supernet, batches: Sequence[Batch]) -> Iterator[Lesson]:
    """The lessons of all blocks that have alternatives, in the order of the network."""
    row, space = parent_row(net.space), net.space
    network, weights = net.network(row), net.weights(row)
    others: dict[str, dict[int, LayerSpec]] = {}
    for other in replacements(space):
        (column,) = np.flatnonzero(other != row)
        slot = next(slot.name for slot in space.slots if column in slot.genes)
        layer = dict(net.network(other)).get(slot)
        if layer is not None:
            others.setdefault(slot, {})[int(other[column])] = layer
    ids = [ids for ids, _ in batches]
    values: list[dict[str, Tensor]] = [{} for _ in ids]
    specs = network_inputs(network)
    x = [forward(network[:1], weights, prompt(specs, at), kept=v) for at, v in zip(ids, values, strict=True)]
    for i in range(1, len(network)):
        block = network[i : i + 1]
        y = [
            forward(block, weights, {**v, **prompt(specs, at), "input": before})
            for at, v, before in zip(ids, values, x, strict=True)
        ]
        slot = block[0][0]
        if slot in others:
            yield Lesson(slot, others[slot], ids, values, x, y)
        x = y


def taught(
    net: Supernet, lesson: Lesson, choice: int, steps: int, seed: int = 0
) -> tuple[dict[str, Tensor], float, float]:
    """Distil the parent's block into one of its alternatives.

    Tensors that the alternative shares in full with the parent stay as they are.

    Args:
        net: the model.
        lesson: of the block.
        choice: which alternative.
        steps: number of steps, of one batch each.
        seed: of the order of batches.

    Returns:
        The learned tensors by name, none if they are no better than the inherited ones; and the errors before and after:
        the squared difference of the outputs, relative to the square of the parent's outputs (the next block's norm divides
        by it), averaged over tokens.
    """
    block = [(lesson.slot, lesson.alternatives[choice])]
    specs, start = network_inputs(block), net.weights_of(block)
    learned = {name: t.clone().requires_grad_() for name, t in start.items() if t.shape != net.tensors[name].shape}

    def loss(batch: int, weights: Mapping[str, Tensor]) -> Tensor:
        fed = {**lesson.values[batch], **prompt(specs, lesson.ids[batch]), "input": lesson.given[batch]}
        made = lesson.made[batch]
        off = (forward(block, weights, fed) - made).square().sum(-1)
        return (off / made.square().sum(-1)).mean()

    def over_all(weights: Mapping[str, Tensor]) -> float:
        with torch.no_grad():
            return float(np.mean([float(loss(batch, weights)) for batch in range(len(lesson.ids))]))

    before = over_all(start)
    optimizer = torch.optim.Adam(learned.values(), LEARNING_RATE)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(lesson.ids)), (steps, 1)), axis=1).ravel()
    for batch in order[:steps].tolist():
        optimizer.zero_grad()
        torch.autograd.backward(loss(batch, {**start, **learned}))
        optimizer.step()
        falling.step()
    found = {name: t.detach() for name, t in learned.items()}
    after = over_all({**start, **found})
    return (found, before, after) if after < before else ({}, before, before)
