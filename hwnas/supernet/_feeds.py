"""Batches as inputs of onnxruntime: whole, or in parts that are the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.graph import Ranges, activation_ranges
from hwnas.space import Network
from hwnas.supernet._execute import without_common_padding
from hwnas.task import Inputs, named_inputs

if TYPE_CHECKING:
    import onnx

PART_BYTES = (4 * 2**20, 12 * 2**20)
"""Bounds for the largest activation of a part: two to five images of a MobileNetV3 at 224 px. Larger parts do not fit into the
cache, and in smaller ones the overhead of a run shows."""

PARTS = 16
"""Parts of a batch within these bounds, so that every core gets some."""

_MASK = "attention_mask"


def feeds(inputs: Inputs) -> dict[str, NDArray[Any]]:
    """A batch as inputs of onnxruntime."""
    return {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in named_inputs(inputs).items()}


def slices(network: Network, n: int) -> list[slice]:
    """The parts of a batch of ``n``. They do not depend on the machine, so neither do measured values."""
    largest = max(4 * math.prod(op.shape) for _, layer in network for op in layer.ops)
    fewest, most = (limit // largest for limit in PART_BYTES)
    size = max(1, min(most, max(fewest, math.ceil(n / PARTS))))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def feeds_in_parts(network: Network, inputs: Inputs) -> tuple[list[dict[str, NDArray[Any]]], Tensor | None]:
    """A batch in parts. Texts of similar length share a part, so that there is little padding.

    Returns:
        The parts, and the order of the samples in them; None for the original order.
    """
    named = named_inputs(inputs)
    order = named[_MASK].sum(1).argsort() if _MASK in named else None
    if order is not None:
        named = {name: tensor[order] for name, tensor in named.items()}
    parts = slices(network, len(next(iter(named.values()))))
    fed = [feeds(without_common_padding({name: x[part] for name, x in named.items()})) for part in parts]
    return fed, order


def ranges_on(model: onnx.ModelProto, network: Network, batches: Iterable[Inputs]) -> Ranges:
    """Ranges of the activations of a network's fp32 model, see :func:`hwnas.graph.activation_ranges`.

    Raises:
        DataError: there are no samples, or activations are not finite.
    """
    parts = (feeds_in_parts(network, batch)[0] for batch in batches)
    return activation_ranges(model, parts, torch.get_num_threads())
