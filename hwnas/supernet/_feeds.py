"""Batches as onnxruntime is fed them: whole, or in parts that are the same on every machine."""

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
from hwnas.task import Inputs

if TYPE_CHECKING:
    import onnx

PART_BYTES = (4 * 2**20, 12 * 2**20)
"""What the largest activation of a part may take: two to five images of a MobileNetV3 at 224 px. Larger parts leave the
cache; smaller ones are slowed down by what every run costs."""

PARTS = 16
"""Parts of a batch, within those bounds, so that every core gets its share."""

_MASK = "attention_mask"


def feeds(inputs: Inputs) -> dict[str, NDArray[Any]]:
    """A batch as onnxruntime is fed it."""
    named = {"input": inputs} if isinstance(inputs, Tensor) else inputs
    return {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in named.items()}


def slices(network: Network, n: int) -> list[slice]:
    """The parts of a batch of ``n``, whatever the machine and its cores: so what is measured is the same everywhere."""
    largest = max(4 * math.prod(op.shape) for _, layer in network for op in layer.ops)
    fewest, most = (limit // largest for limit in PART_BYTES)
    size = max(1, min(most, max(fewest, math.ceil(n / PARTS))))
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def feeds_in_parts(network: Network, inputs: Inputs) -> tuple[list[dict[str, NDArray[Any]]], Tensor | None]:
    """A batch in parts. Texts of like length share one, so that little of it is padding.

    Returns:
        The parts, and the order in which they hold the samples; None as they came.
    """
    named = {"input": inputs} if isinstance(inputs, Tensor) else inputs
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
