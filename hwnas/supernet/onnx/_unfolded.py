"""Put batch norms back where an exporter has folded them into convolutions.

A subnet's activations have other means and variances than the whole network's, and batch norms correct for that:
without them a subnet cannot be re-calibrated (Yu et al. 2018, arXiv:1812.08928). Measured on some images, the mean and
variance of a convolution's output make a batch norm that changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from hwnas.space import Network
from hwnas.space.ops import Conv, LayerNorm, Op
from hwnas.supernet._calibration import Calibration
from hwnas.supernet.ops import Pass, run
from hwnas.task import Inputs

ENOUGH = 512
"""Images that means and variances are taken from."""


def folded_positions(ops: Sequence[Op]) -> list[int]:
    """Of the convolutions that batch norms may have been folded into; none in networks of layer norms.

    Such a convolution has a bias and gives a feature map: gates are computed at one point, where a batch norm would have
    nothing to average over. What gives the logits never had one.
    """
    if any(isinstance(op, LayerNorm) for op in ops):
        return []
    head = max(i for i, op in enumerate(ops) if op.weights)
    return [i for i, op in enumerate(ops[:head]) if isinstance(op, Conv) and op.bias and not op.bn and _area(op) > 1]


def unfolded(ops: Sequence[Op]) -> tuple[Op, ...]:
    """The ops with batch norms in place of these convolutions' biases."""
    folded = folded_positions(ops)
    return tuple(
        replace(op, bias=False, bn=True) if i in folded and isinstance(op, Conv) else op for i, op in enumerate(ops)
    )


def unfolded_tensors(
    network: Network, tensors: Mapping[str, Tensor], folded: Sequence[str], batches: Iterable[Inputs], eps: float
) -> dict[str, Tensor]:
    """The tensors of a network some of whose convolutions have batch norms again; it computes what it computed.

    Args:
        network: the largest subnet, as it is.
        tensors: its weights.
        folded: names of the convolutions, ``"<slot>/<op>"``.
        batches: images.
        eps: that batch norms will add to variances.
    """
    seen = _observed(network, tensors, folded, batches, eps)
    found = dict(tensors)
    for name in folded:
        mean, variance = seen[f"{name}.running_mean"], seen[f"{name}.running_var"]
        bias = found.pop(f"{name}.bias")
        found[f"{name}.bn.weight"], found[f"{name}.bn.bias"] = torch.sqrt(variance + eps), mean
        found[f"{name}.bn.running_mean"], found[f"{name}.bn.running_var"] = mean - bias, variance
    return found


def _area(op: Op) -> int:
    return prod(op.shape[1:])


def _observed(
    network: Network, tensors: Mapping[str, Tensor], names: Sequence[str], batches: Iterable[Inputs], eps: float
) -> dict[str, Tensor]:
    """Mean and variance of each channel that some convolutions give."""
    statistics = Calibration()
    with torch.no_grad():
        for batch in batches:
            x = batch if isinstance(batch, Tensor) else batch["input"]
            statistics.n_images += len(x)
            at = Pass(tensors, {"input": x}, "eval", eps, 0.0)
            for slot, layer in network:
                values = [x]
                for op in layer.ops:
                    at.name = f"{slot}/{op.name}"
                    values.append(run(op, [values[i] for i in op.inputs], at))
                    if at.name in names:
                        variance, mean = torch.var_mean(values[-1], (0, 2, 3), correction=0)
                        statistics.add(at.name, mean, variance, len(x))
                x = values[-1]
            if statistics.n_images >= ENOUGH:
                break
    return statistics.statistics()
