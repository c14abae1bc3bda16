"""Block-wise local distillation: each alternative of a block learns what the parent's own block makes of the same inputs.

Each is taught by itself, so all of a library are taught for the price of a few passes of each block (Puzzle, Bercovich et al.
2024, arXiv:2411.19146, section 3). The parent goes forward one block at a time on all batches: what enters a block and what
leaves it is all that its alternatives need.
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
"""Of Adam at first; it falls linearly to 0."""


@dataclass(frozen=True)
class Lesson:
    """What one block of the parent is given on some batches, and what it makes of it.

    Attributes:
        slot: of the block.
        alternatives: to it, by choice; none of them is its own.
        ids: ``(n, t)`` tokens of each batch.
        values: of each batch, what the embeddings leave for all blocks.
        given, made: of each batch, ``(n, t, channels)`` before and after it.
    """

    slot: str
    alternatives: Mapping[int, LayerSpec]
    ids: Sequence[Tensor]
    values: Sequence[Mapping[str, Tensor]]
    given: Sequence[Tensor]
    made: Sequence[Tensor]


@torch.no_grad()
def lessons(net: Supernet, batches: Sequence[Batch]) -> Iterator[Lesson]:
    """One of each block that has alternatives, in the order of the network."""
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
    for place in range(1, len(network)):
        block = network[place : place + 1]
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
    """Weights of an alternative that are not those of all others, once it has learned; none if it got no better.

    Args:
        net: the model.
        lesson: of its block.
        choice: which alternative.
        steps: each of one batch.
        seed: of their order.

    Returns:
        The weights by the names of the shared ones; and how far what it makes is from what the parent's block makes, before
        and after: per token, over the square of the latter, which the norm of the block behind divides by.
    """
    layer, slot = lesson.alternatives[choice], lesson.slot
    block, specs = [(slot, layer)], network_inputs([(slot, layer)])
    start = {name: t for op in layer.ops for name, t in net.op_weights(f"{slot}/{op.name}", op).items()}
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
