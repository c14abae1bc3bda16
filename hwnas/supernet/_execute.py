"""Runs the LayerSpecs of a subnet in torch, with whatever weights it is given.

Weights are looked up by ``"<slot>/<op>.weight"``, ``".bias"`` and ``".bn.<weight|bias|running_mean|running_var>"``.
They may be slices of shared supernet parameters: gradients flow through to those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space import LayerSpec, Op

Network = Sequence[tuple[str, LayerSpec]]
"""``(slot name, layer)`` in network order, as :meth:`hwnas.space.SearchSpace.network` returns it."""

_ACTIVATIONS = {"relu": F.relu, "relu6": F.relu6, "hswish": F.hardswish, "hsigmoid": F.hardsigmoid}


class Calibration:
    """Batch-norm statistics gathered over batches.

    Each batch is normalised by its own biased mean and variance; both are averaged over batches,
    weighted by batch size. That is what Once-for-All's published accuracies were measured with.
    """

    def __init__(self) -> None:
        self.n_images = 0
        self._sums: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, name: str, mean: Tensor, variance: Tensor, n: int) -> None:
        total_mean, total_variance = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = (total_mean + n * mean.detach(), total_variance + n * variance.detach())

    def statistics(self) -> dict[str, Tensor]:
        """``{"<slot>/<op>.bn.running_mean": (channels,), "...running_var": (channels,)}``."""
        found = {}
        for name, (mean, variance) in self._sums.items():
            found[f"{name}.running_mean"] = mean / self.n_images
            found[f"{name}.running_var"] = variance / self.n_images
        return found


BatchNormMode = Literal["eval", "train"] | Calibration
"""Normalise by the stored statistics, by the batch's own, or by the batch's own while gathering them."""


def forward(
    network: Network,
    weights: Mapping[str, Tensor],
    x: Tensor,
    bn: BatchNormMode = "eval",
    *,
    eps: float = 1e-5,
    momentum: float = 0.0,
) -> Tensor:
    """Logits ``(n, classes)`` of a batch ``(n, channels, height, width)``.

    Args:
        network: the subnet's layers.
        weights: see the module's docstring.
        x: the batch.
        bn: see :data:`BatchNormMode`.
        eps: added to variances by batch norms.
        momentum: with ``bn="train"``, the share of the batch in the running statistics, which are
            updated in place; 0 leaves them alone (they are re-calibrated before use anyway).
    """
    if isinstance(bn, Calibration):
        bn.n_images += len(x)
    for slot, layer in network:
        values = [x]
        for op in layer.ops:
            values.append(_run(f"{slot}/{op.name}", op, [values[i] for i in op.inputs], weights, bn, eps, momentum))
        x = values[-1]
    return x


def _run(
    name: str,
    op: Op,
    inputs: Sequence[Tensor],
    weights: Mapping[str, Tensor],
    bn: BatchNormMode,
    eps: float,
    momentum: float,
) -> Tensor:
    x = inputs[0]
    match op.kind:
        case "conv":
            bias = weights[f"{name}.bias"] if op.bias else None
            x = F.conv2d(x, weights[f"{name}.weight"], bias, op.stride, op.kernel // 2, 1, op.groups)
            return _batch_norm(f"{name}.bn", x, weights, bn, eps, momentum) if op.bn else x
        case "linear":
            return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"] if op.bias else None)
        case "act":
            return _ACTIVATIONS[str(op.function)](x)
        case "add":
            return x + inputs[1]
        case "mul":
            return x * inputs[1]
        case "max_pool":
            return F.max_pool2d(x, op.kernel, op.stride, op.kernel // 2)
        case "avg_pool":
            return F.avg_pool2d(x, op.kernel, op.stride, 0, ceil_mode=True)
        case "global_pool":
            return x.mean((2, 3), keepdim=True)
        case "flatten":
            return x.flatten(1)


def _batch_norm(
    name: str, x: Tensor, weights: Mapping[str, Tensor], bn: BatchNormMode, eps: float, momentum: float
) -> Tensor:
    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    if bn == "eval":
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, eps)
    if bn == "train":
        if momentum == 0.0:
            return F.batch_norm(x, None, None, scale, shift, True, 0.0, eps)
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, scale, shift, True, momentum, eps)
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    bn.add(name, mean, variance, len(x))
    return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, eps)
