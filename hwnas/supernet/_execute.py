"""Runs the LayerSpecs of a subnet in torch, with given weights.

Weights are named ``"<slot>/<op>.<part>"``, where the ops state the parts: ``weight``, ``bias``,
``bn.<weight|bias|running_mean|running_var>``. They may be slices of shared tensors, to which gradients then flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from hwnas.space import Network, Op
from hwnas.supernet._calibration import BatchNormMode, Calibration
from hwnas.supernet._rounded import run_rounded
from hwnas.supernet.ops import Pass, run
from hwnas.task import Inputs, map_inputs, named_inputs

Watch = Callable[[str, Op, Sequence[Tensor], Tensor], None]
"""Called with the name of an op (``"<slot>/<op>"``), the op, its inputs and its output."""


def on(device: torch.device, inputs: Inputs) -> Inputs:
    """The batch on a device."""
    return map_inputs(partial(_on, device), inputs)


def _on(device: torch.device, tensor: Tensor) -> Tensor:
    if device.type == "cuda" and not tensor.is_cuda:  # pinned memory is copied while the GPU works
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
    watch: Watch | None = None,
    kept: dict[str, Tensor] | None = None,
    rounded: bool = False,
) -> Tensor:
    """The output of the last layer for a batch: logits ``(n, classes)``, or ``(n, tokens, vocabulary)`` of a decoder.

    Args:
        network: the subnet's layers.
        weights: see the module's docstring.
        inputs: the batch, ``(n, channels, height, width)`` for images.
        bn: see :data:`BatchNormMode`.
        eps: added to variances by batch norms.
        momentum: with ``bn="train"``, the weight of the batch in the running statistics, which are updated in place; 0
            leaves them alone (they are re-calibrated before use anyway).
        watch: called after every op; see :data:`Watch`.
        kept: filled with the inputs and the named values that layers wrote, on which later layers can run:
            ``forward(network[i:], weights, {"input": x, **kept})``.
        rounded: compute in the layers' precisions, as the ONNX graph does; else everything is fp32.
    """
    named = without_common_padding(named_inputs(inputs))
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
            precision = layer.precision if rounded else None
            values.append(run(op, read, at) if precision is None else run_rounded(op, read, at, precision))
            if watch is not None:
                watch(at.name, op, read, values[-1])
        x = values[-1]
    if kept is not None:
        kept |= at.values
    return x


def without_common_padding(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Texts without the last columns that are padding in all of them. No token attends to padding, so logits stay the same."""
    mask = inputs.get("attention_mask")
    if mask is None or "position_ids" in inputs or not mask.any():  # decoders have logits for every token
        return dict(inputs)
    length = mask.shape[1]
    longest = int(mask.any(0).nonzero().max()) + 1
    return {name: x[:, :longest] if x.shape[1:] == (length,) else x for name, x in inputs.items()}
