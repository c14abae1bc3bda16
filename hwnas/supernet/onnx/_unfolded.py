"""Putting batch norms back that an exporter has folded into convolutions.

The activations of a subnet have other means and variances than those of the whole network. Batch norms correct for that, and
without them a subnet cannot be re-calibrated (Yu et al. 2018, arXiv:1812.08928). From the mean and variance of a convolution's
output on some images follows a batch norm that changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from hwnas.space import Network
from hwnas.space.ops import Conv, GroupNorm, LayerNorm, Op
from hwnas.supernet._calibration import Calibration
from hwnas.supernet._execute import forward
from hwnas.task import Inputs

ENOUGH = 512
"""Images from which means and variances are measured."""


def folded_positions(ops: Sequence[Op]) -> list[int]:
    """Positions of the convolutions into which batch norms may have been folded; none in networks with other norms.

    Such a convolution has a bias and returns a feature map. A gate is a single pixel, which leaves a batch norm nothing to
    average over, and the layer of the logits never had a batch norm.
    """
    if any(isinstance(op, (GroupNorm, LayerNorm)) for op in ops):
        return []
    head = max(i for i, op in enumerate(ops) if op.weights)
    convolutions = ((i, op) for i, op in enumerate(ops[:head]) if isinstance(op, Conv) and op.bias and not op.bn)
    return [i for i, op in convolutions if prod(op.shape[1:]) > 1]


def unfolded(ops: Sequence[Op]) -> tuple[Op, ...]:
    """The ops with batch norms instead of the biases of these convolutions."""
    folded = folded_positions(ops)
    return tuple(
        replace(op, bias=False, bn=True) if i in folded and isinstance(op, Conv) else op for i, op in enumerate(ops)
    )


def unfolded_tensors(
    network: Network, tensors: Mapping[str, Tensor], folded: Sequence[str], batches: Iterable[Inputs], eps: float
) -> dict[str, Tensor]:
    """The tensors of the network with batch norms after some convolutions, which computes the same as before.

    Args:
        network: the largest subnet without these batch norms.
        tensors: its weights.
        folded: names of the convolutions, ``"<slot>/<op>"``.
        batches: images.
        eps: added to variances by batch norms, those that the network has and those to come.
    """
    measured = _statistics(network, tensors, folded, batches, eps)
    found = dict(tensors)
    for name in folded:
        mean, variance = measured[f"{name}.running_mean"], measured[f"{name}.running_var"]
        bias = found.pop(f"{name}.bias")
        found[f"{name}.bn.weight"], found[f"{name}.bn.bias"] = torch.sqrt(variance + eps), mean
        found[f"{name}.bn.running_mean"], found[f"{name}.bn.running_var"] = mean - bias, variance
    return found


def _statistics(
    network: Network, tensors: Mapping[str, Tensor], names: Sequence[str], batches: Iterable[Inputs], eps: float
) -> dict[str, Tensor]:
    """Mean and variance of each output channel of some convolutions."""
    calibration = Calibration()

    def watch(name: str, _op: Op, _inputs: Sequence[Tensor], output: Tensor) -> None:
        if name in names:
            variance, mean = torch.var_mean(output, (0, 2, 3), correction=0)
            calibration.add(name, mean, variance, len(output))

    with torch.no_grad():
        for batch in batches:
            calibration.n_images += len(forward(network, tensors, batch, eps=eps, watch=watch))
            if calibration.n_images >= ENOUGH:
                break
    return calibration.statistics()
