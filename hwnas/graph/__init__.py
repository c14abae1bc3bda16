"""Networks of LayerSpecs as ONNX models. The graph that is profiled is the graph that is exported."""

from __future__ import annotations

from hwnas.graph._build import IR_VERSION, OPSET, Network, build_model, weight_shapes
from hwnas.graph._precision import PRECISIONS, in_precision
from hwnas.graph._quantize import Ranges
from hwnas.graph._ranges import activation_ranges, assumed_ranges

__all__ = [
    "IR_VERSION",
    "OPSET",
    "PRECISIONS",
    "Network",
    "Ranges",
    "activation_ranges",
    "assumed_ranges",
    "build_model",
    "in_precision",
    "weight_shapes",
]
