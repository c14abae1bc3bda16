"""Batch norms again, where an exporter has folded them into convolutions.

A subnet's activations have other means and variances than the whole network's, and batch norms are where that is put
right: without them nothing of a subnet can be re-calibrated (Yu et al. 2018, arXiv:1812.08928). Measured on some images,
the mean and variance of a convolution's output make a batch norm that changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from hwnas.space import LayerSpec, Network
from hwnas.space.ops import Conv, LayerNorm, Op
from hwnas.supernet._calibration import Calibration
from hwnas.supernet.ops import Pass, run
from hwnas.task import Inputs

ENOUGH = 512
"""Images that means and variances are taken from."""


def has_folded(ops: Iterable[Op]) -> bool:
    """Whether batch norms can stand again: there are convolutions with a bias, and no layer norms in their place."""
    listed = list(ops)
    return any(map(_is_folded, listed)) and not any(isinstance(op, LayerNorm) for op in listed)


def unfolded(op: Op) -> Op:
    """An op with a batch norm in place of its bias, if it is a convolution of feature maps that has one."""
    return replace(op, bias=False, bn=True) if isinstance(op, Conv) and _is_folded(op) else op


def _is_folded(op: Op) -> bool:
    """Gates are computed at one point, where a batch norm would have nothing to average over."""
    return isinstance(op, Conv) and op.bias and not op.bn and op.shape[1] * op.shape[2] > 1


def unfolded_tensors(
    network: Network, tensors: Mapping[str, Tensor], batches: Iterable[Inputs], eps: float
) -> dict[str, Tensor]:
    """The tensors of a network whose convolutions have batch norms again; it computes what it computed.

    Args:
        network: the largest subnet, as it is.
        tensors: its weights.
        batches: images.
        eps: that batch norms will add to variances.
    """
    folded = [f"{slot}/{op.name}" for slot, layer in network for op in layer.ops if _is_folded(op)]
    seen = _observed(network, tensors, batches, eps)
    found = dict(tensors)
    for name in folded:
        mean, variance = seen[f"{name}.running_mean"], seen[f"{name}.running_var"]
        bias = found.pop(f"{name}.bias")
        found[f"{name}.bn.weight"], found[f"{name}.bn.bias"] = torch.sqrt(variance + eps), mean
        found[f"{name}.bn.running_mean"], found[f"{name}.bn.running_var"] = mean - bias, variance
    return found


def _observed(
    network: Network, tensors: Mapping[str, Tensor], batches: Iterable[Inputs], eps: float
) -> dict[str, Tensor]:
    """Mean and variance of each channel that a folded convolution gives."""
    statistics = Calibration()
    with torch.no_grad():
        for batch in batches:
            x = batch if isinstance(batch, Tensor) else batch["input"]
            statistics.n_images += len(x)
            at = Pass(tensors, {"input": x}, "eval", eps, 0.0)
            for slot, layer in network:
                x = _through(slot, layer, x, at, statistics)
            if statistics.n_images >= ENOUGH:
                break
    return statistics.statistics()


def _through(slot: str, layer: LayerSpec, x: Tensor, at: Pass, statistics: Calibration) -> Tensor:
    values = [x]
    for op in layer.ops:
        at.name = f"{slot}/{op.name}"
        values.append(run(op, [values[i] for i in op.inputs], at))
        if _is_folded(op):
            variance, mean = torch.var_mean(values[-1], (0, 2, 3), correction=0)
            statistics.add(at.name, mean, variance, len(x))
    return values[-1]
