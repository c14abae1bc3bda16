"""Convolutional networks from ONNX files as supernets.

The space of a file needs no torch: ``_open`` reads it, and ``_supernet`` adds the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.lazy import lazily
from hwnas.supernet.onnx._open import elastic_file, outlined_network

if TYPE_CHECKING:
    from hwnas.supernet.onnx._supernet import onnx_supernet, supernet_of_outline

__all__ = ["elastic_file", "onnx_supernet", "outlined_network", "supernet_of_outline"]

__getattr__, __dir__ = lazily(__name__, {"hwnas.supernet.onnx._supernet": "onnx_supernet supernet_of_outline"})
