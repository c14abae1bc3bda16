"""Sorting neurons by what they do on a text, so that narrower networks keep those that do most.

Norms of weights miss the few neurons that a trained language model drives hard: with a quarter of the neurons gone, the last
FFN of SmolLM2-135M was worth no more than none. What a neuron adds is its activation times the weights that read it (as in
Wanda, Sun et al. 2024, arXiv:2306.11695, there weight by weight).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from hwnas.space import Op, network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet._execute import forward
from hwnas.supernet._replacement import Batch, parent_row
from hwnas.supernet._units import Units
from hwnas.task import prompt


@torch.no_grad()
def by_activity(net: Supernet, batches: Iterable[Batch]) -> Supernet:
    """The model with its units in another order, which changes nothing of the largest network.

    Args:
        net: a language model.
        batches: of the text; the units that add most to it, root mean square over tokens, come first.
    """
    row = parent_row(net.space)
    network, weights = net.network(row), net.weights(row)
    readers = {reader: units for units in net.units() for reader in units.readers}
    energy: dict[Units, Tensor] = {}
    for ids, _ in batches:
        values: dict[str, Tensor] = {}
        fed = prompt(network_inputs(network), ids)
        for place, (slot, _) in enumerate(network):

            def watch(op: Op, x: Tensor, slot: str = slot) -> None:
                units = readers.get(f"{slot}/{op.name}")
                if units is not None:
                    seen = x.double().flatten(0, -2).square().sum(0)
                    energy[units] = energy[units] + seen if units in energy else seen

            x = forward(network[place : place + 1], weights, fed, kept=values, watch=watch)
            fed = {**values, "input": x}
    tensors = dict(net.tensors)
    for units, total in energy.items():
        (reader,) = units.readers
        channels = (total * tensors[f"{reader}.weight"].double().square().sum(0)).reshape(-1, units.size)
        tensors |= units.sorted(tensors, channels.sum(1))
    return net.alike(tensors)
