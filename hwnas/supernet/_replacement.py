"""The divergence of a language model from its parent when blocks are replaced or left out.

The parent runs once per batch, and the inputs of its blocks are kept, so that a subnet runs only from its first replaced
block on. Blocks of a trained model differ in importance by orders of magnitude, and summed scores of single replacements
rank whole subnets (Puzzle, Bercovich et al. 2024, arXiv:2411.19146, section 4.1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hwnas.space import Population, SearchSpace, network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet._execute import forward
from hwnas.task import Divergence, Parent, prompt

Batch = tuple[Tensor, Tensor]
"""Token ids ``(n, t)``, and the next tokens ``(n, t)``."""


def parent_row(space: SearchSpace) -> Population:
    """The ``(g,)`` row of the parent, the largest network: the last choice of layer genes, the first of inputs and
    precisions."""
    return np.array([len(gene.choices) - 1 if gene.role == "layer" else 0 for gene in space.genes], dtype=np.int16)


def replaced(space: SearchSpace) -> dict[tuple[int, ...], list[str]]:
    """Slots by the genes that decide their layers: a block's own, and its precision if it has one, but not input genes.

    Slots with the same genes are replaced together.
    """
    found: dict[tuple[int, ...], list[str]] = {}
    for slot in space.slots:
        own = tuple(column for column in slot.genes if column not in space.input_genes)
        if own:
            found.setdefault(own, []).append(slot.name)
    return found


def replacements(space: SearchSpace) -> Population:
    """``(n, g)`` distinct rows that differ from the parent in one block: all its other choices, in all its precisions."""
    parent, found = parent_row(space), []
    for own in replaced(space):
        rows = np.repeat(parent[None], math.prod(len(space.domain[column]) for column in own), axis=0)
        rows[:, own] = [*itertools.product(*(space.domain[column] for column in own))]
        distinct = np.unique(space.canonical(rows), axis=0)
        found.append(distinct[(distinct != parent).any(axis=1)])
    return np.concatenate(found)


def first_replaced(space: SearchSpace, row: Population) -> int:
    """The index of the first slot in which a subnet differs from the parent; the number of slots if none does."""
    other = set(np.flatnonzero(row != parent_row(space)).tolist()) - set(space.input_genes)
    return next((i for i, slot in enumerate(space.slots) if other & set(slot.genes)), len(space.slots))


class Moved:
    """Divergences of subnets from the parent on some batches.

    The hidden states and probabilities of one batch are kept until another batch is asked for.

    Args:
        net: the model; its largest subnet has every slot.
        batches: to compare on.
    """

    def __init__(self, net: Supernet, batches: Sequence[Batch]) -> None:
        self.net, self._batches = net, batches
        self._row = parent_row(net.space)
        self._network = net.network(self._row)
        self._weights = net.weights(self._row)
        self._at: int | None = None
        self._states: list[Tensor] = []
        self._values: dict[str, Tensor] = {}
        self._parent: Parent | None = None

    @torch.no_grad()
    def __call__(self, batch: int, row: Population) -> Divergence:
        """The divergence of the subnet of a ``(g,)`` row from the parent, on one batch."""
        parent, space = self._prepared(batch), self.net.space
        own = np.where(np.isin(np.arange(len(row)), space.input_genes), self._row, row).astype(np.int16)
        first = min(first_replaced(space, own), len(space.slots) - 1)
        known, network = dict(self._network), self.net.network(own)
        after = {slot for slot, _ in self._network[first:]}
        rest = [(slot, layer) for slot, layer in network if slot in after]
        changed = [(slot, layer) for slot, layer in rest if layer != known[slot]]
        weights = self._weights | self.net.weights_of(changed)
        # The subnet's own inputs: with fewer key-value heads its (empty) caches have another shape.
        fed = {**self._values, **prompt(network_inputs(network), self._batches[batch][0]), "input": self._states[first]}
        return parent(forward(rest, weights, fed, rounded=True))

    def _prepared(self, batch: int) -> Parent:
        """The parent's predictions for a batch, whose hidden states are then kept."""
        if self._parent is None or self._at != batch:
            self._parent, self._states, self._values = None, [], {}
            ids, following = self._batches[batch]
            x, fed = ids, prompt(network_inputs(self._network), ids)
            for i in range(len(self._network)):
                self._states.append(x)
                x = forward(self._network[i : i + 1], self._weights, fed, kept=self._values)
                fed = {**self._values, "input": x}
            self._parent, self._at = Parent(x, following), batch
        return self._parent
