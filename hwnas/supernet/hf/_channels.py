"""The channels between layers, which all layers read and write, as units that are sorted together."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from hwnas.supernet._units import Units

CLASSIFIER = "head/classifier"
PROJECT = "embeddings/project"

_READERS = ("query", "key", "value", "ffn.inner")
"""Linear maps of a layer that read the channels. All its other ops write them."""

_TABLES = ("words", "segments", "positions", "class", "distillation")
"""Embeddings, which have their channels along the second axis."""


def channel_units(tensors: Iterable[str], layers: int) -> Units:
    """The channels of an encoder as units.

    Args:
        tensors: names of all its tensors.
        layers: number of layers.
    """
    ops = {name.rpartition(".")[0] for name in tensors}
    head = {"head/dense"} & ops or {CLASSIFIER}
    readers = {f"layer.{i}/{part}" for i in range(layers) for part in _READERS} | head
    if PROJECT in ops:  # the tables before the projection have channels of their own
        ops -= {op for op in ops if op.startswith("embeddings/")} - {PROJECT}
    tables = {f"embeddings/{part}" for part in _TABLES} & ops
    writers = ops - readers - tables - {CLASSIFIER}
    return Units("channels", 1, *(tuple(sorted(each)) for each in (writers, readers, tables)))


def of_two_vectors(weight: Tensor, channels: int) -> Tensor:
    """``(out, 2 * channels)`` of a weight that reads two vectors side by side: the leading channels of each."""
    return weight.reshape(len(weight), 2, -1)[:, :, :channels].flatten(1)
