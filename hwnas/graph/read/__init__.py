"""Reading of ONNX files from any exporter into ops: the inverse of `hwnas.graph.build_model`.

There is one file per family of operators, as in ``hwnas.space.ops``. Each registers its readers with `reads`.
"""

from __future__ import annotations

from hwnas.graph.read import convolution, elementwise, linear, normalisation, pooling, resampling, shape
from hwnas.graph.read._network import BN_EPS, ReadNetwork, read_network

__all__ = [
    "BN_EPS",
    "ReadNetwork",
    "convolution",
    "elementwise",
    "linear",
    "normalisation",
    "pooling",
    "read_network",
    "resampling",
    "shape",
]
