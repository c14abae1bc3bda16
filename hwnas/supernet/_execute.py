"""Runs the LayerSpecs of a subnet in torch, with whatever weights it is given.

Weights are looked up by ``"<slot>/<op>.<part>"``, with the parts that the ops state: ``weight``, ``bias``,
``bn.<weight|bias|running_mean|running_var>``.
They may be slices of shared supernet parameters: gradients flow through to those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from hwnas.space import Network, Op
from hwnas.supernet._calibration import BatchNormMode, Calibration
from hwnas.supernet._rounded import run_rounded
from hwnas.supernet.ops import Pass, run
from hwnas.task import Inputs


def on(device: torch.device, inputs: Inputs) -> Inputs:
    """The batch on a device."""
    if isinstance(inputs, Tensor):
        return _on(device, inputs)
    return {name: _on(device, tensor) for name, tensor in inputs.items()}


def _on(device: torch.device, tensor: Tensor) -> Tensor:
    if device.type == "cuda" and not tensor.is_cuda:  # from pinned memory it travels while the GPU works
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def forward(
    network: Network,
    weights: Mapping[str, Tensor],
    inputs: Inputs,
    bn: BatchNormMode = "eval",
    *,
    eps: float = 1e-5,
    momentum: float = 0.0,
    watch: Callable[[Op, Tensor], None] | None = None,
    kept: dict[str, Tensor] | None = None,
    rounded: bool = False,
) -> Tensor:
    """What the last layer returns for a batch: logits ``(n, classes)``, of decoders ``(n, tokens, vocabulary)``.

    Args:
        network: the subnet's layers.
        weights: see the module's docstring.
        inputs: the batch, ``(n, channels, height, width)`` for images.
        bn: see :data:`BatchNormMode`.
        eps: added to variances by batch norms.
        momentum: with ``bn="train"``, the share of the batch in the running statistics, which are
            updated in place; 0 leaves them alone (they are re-calibrated before use anyway).
        watch: called with every op before it runs, and its first input.
        kept: filled with the named values that layers wrote, and those that they were fed. The layers after them run on
            it: ``forward(network[i:], weights, {"input": x, **kept})``.
        rounded: whether layers that have a precision compute in it, as the ONNX graph will; else all compute in fp32.
    """
    named = {"input": inputs} if isinstance(inputs, Tensor) else without_common_padding(inputs)
    at = Pass(weights, named, bn, eps, momentum)
    x = next(iter(named.values()))
    if isinstance(bn, Calibration):
        bn.n_images += len(x)
    x = named.get("input", x)
    for slot, layer in network:
        values = [x]
        for op in layer.ops:
            at.name = f"{slot}/{op.name}"
            read = [values[i] for i in op.inputs]
            if watch is not None and read:
                watch(op, read[0])
            precision = layer.precision if rounded else None
            values.append(run(op, read, at) if precision is None else run_rounded(op, read, at, precision))
        x = values[-1]
    if kept is not None:
        kept |= at.values
    return x


def without_common_padding(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Texts without the last columns that are padding in all of them: no token attends to those, so logits stay as they are."""
    mask = inputs.get("attention_mask")
    if mask is None or "position_ids" in inputs or not mask.any():  # decoders answer for every token
        return dict(inputs)
    length = mask.shape[1]
    longest = int(mask.any(0).nonzero().max()) + 1
    return {name: x[:, :longest] if x.shape[1:] == (length,) else x for name, x in inputs.items()}
