"""Networks of LayerSpecs as ONNX models. The graph that is profiled is the graph that is exported."""

from __future__ import annotations

from hwnas.graph._build import IR_VERSION, OPSET, build_model, sequence_length, weight_shapes
from hwnas.graph._model import Input, Model, network_model, random_feeds
from hwnas.graph._precision import PRECISIONS, in_precision
from hwnas.graph._quantize import Ranges, quantized
from hwnas.graph._ranges import activation_ranges, assumed_ranges
from hwnas.graph._segments import FOLDED, STATISTICS, Segment, norm_prefix, segments
from hwnas.graph._short import short_tables
from hwnas.graph.ops import LENGTH, Nodes, has_integer_form, initial_shapes, to_onnx
from hwnas.space import Network

__all__ = [
    "FOLDED",
    "IR_VERSION",
    "LENGTH",
    "OPSET",
    "PRECISIONS",
    "STATISTICS",
    "Input",
    "Model",
    "Network",
    "Nodes",
    "Ranges",
    "Segment",
    "activation_ranges",
    "assumed_ranges",
    "build_model",
    "has_integer_form",
    "in_precision",
    "initial_shapes",
    "network_model",
    "norm_prefix",
    "quantized",
    "random_feeds",
    "segments",
    "sequence_length",
    "short_tables",
    "to_onnx",
    "weight_shapes",
]
