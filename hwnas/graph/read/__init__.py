"""ONNX files of other people's networks, read into ops: the way back from `hwnas.graph.build_model`.

One file per family of operators, as in ``hwnas.space.ops``; each registers what it reads with `reads`.
"""

from __future__ import annotations

from hwnas.graph.read import convolution, elementwise, linear, normalisation, pooling, shape
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
    "shape",
]
