"""Convolutional networks from ONNX files as supernets.

The space of a file takes no torch: ``_open`` reads it, ``_supernet`` adds the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.supernet.onnx._open import elastic_file, outlined_network

if TYPE_CHECKING:
    from hwnas.supernet.onnx._supernet import OnnxSupernet, onnx_supernet, supernet_of_outline


def __getattr__(name: str) -> object:
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from hwnas.supernet.onnx import _supernet  # noqa: PLC0415 (loads torch)

    return getattr(_supernet, name)


__all__ = ["OnnxSupernet", "elastic_file", "onnx_supernet", "outlined_network", "supernet_of_outline"]
