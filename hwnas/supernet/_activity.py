"""Sorting neurons by their activity on a text, so that narrower networks keep the most active ones.

Norms of weights miss the few neurons with large activations: sorted by norms, the last FFN of SmolLM2-135M was worth no more
than none at all after losing a quarter of its neurons. A neuron's contribution is its activation times the weights that read
it (Wanda, Sun et al. 2024, arXiv:2306.11695, scores single weights in this way).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    """The model with its units sorted by contribution, largest first. The largest network computes the same as before.

    A unit's contribution is a root mean square over the tokens of the text.

    Args:
        net: a language model.
        batches: the text.
    """
    row = parent_row(net.space)
    network, weights = net.network(row), net.weights(row)
    readers = {reader: units for units in net.units() for reader in units.readers}
    energy: dict[Units, Tensor] = {}

    def watch(name: str, _op: Op, inputs: Sequence[Tensor], _output: Tensor) -> None:
        if name in readers:
            units = readers[name]
            energy[units] = energy.get(units, 0) + inputs[0].double().flatten(0, -2).square().sum(0)

    for ids, _ in batches:
        forward(network, weights, prompt(network_inputs(network), ids), watch=watch)
    tensors = dict(net.tensors)
    for units, total in energy.items():
        (reader,) = units.readers
        channels = (total * tensors[f"{reader}.weight"].double().square().sum(0)).reshape(-1, units.size)
        tensors |= units.sorted(tensors, channels.sum(1))
    return net.alike(tensors)
