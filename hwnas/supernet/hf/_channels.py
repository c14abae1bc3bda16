"""The channels between layers, which all layers read and write: units that are sorted as one, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from hwnas.supernet._units import Units

CLASSIFIER = "head/classifier"
PROJECT = "embeddings/project"

_READERS = ("query", "key", "value", "ffn.inner")
"""Linear maps of a layer that read the channels; all its other ops write them."""

_TABLES = ("words", "segments", "positions", "class", "distillation")
"""Embeddings, whose channels stand along the second axis."""


def channel_units(tensors: Iterable[str], layers: int) -> Units:
    """The channels of an encoder as units.

    Args:
        tensors: names of all that it has.
        layers: how many.
    """
    ops = {name.rpartition(".")[0] for name in tensors}
    head = {"head/dense"} & ops or {CLASSIFIER}
    readers = {f"layer.{i}/{part}" for i in range(layers) for part in _READERS} | head
    if PROJECT in ops:  # the tables before it have channels of their own
        ops -= {op for op in ops if op.startswith("embeddings/")} - {PROJECT}
    tables = {f"embeddings/{part}" for part in _TABLES} & ops
    writers = ops - readers - tables - {CLASSIFIER}
    return Units("channels", 1, *(tuple(sorted(each)) for each in (writers, readers, tables)))


def of_two_vectors(weight: Tensor, channels: int) -> Tensor:
    """``(out, 2 * channels)``: the leading channels of each of two vectors, which a weight reads one after the other."""
    return weight.reshape(len(weight), 2, -1)[:, :, :channels].flatten(1)
