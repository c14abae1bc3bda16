"""Networks of LayerSpecs as ONNX models. The graph that is exported is the one that was profiled."""

from __future__ import annotations

from hwnas.graph._build import IR_VERSION, OPSET, build_beside, build_model, open_sizes, weight_shapes
from hwnas.graph._model import Model, network_model, random_feeds
from hwnas.graph._precision import (
    MIXED,
    PRECISIONS,
    in_precision,
    mixed_space,
    parse_precision,
    precision_parts,
    rounded_weight,
)
from hwnas.graph._quantize import Ranges, quantized
from hwnas.graph._ranges import activation_ranges
from hwnas.graph._segments import FOLDED, STATISTICS, Segment, norm_prefix, segments
from hwnas.graph._short import short_tables
from hwnas.graph._size import size_cost, weight_bytes
from hwnas.graph.ops import BLOCK, PACKED, IntegerForm, Nodes, form_in, integer_form, packable, to_onnx

__all__ = [
    "BLOCK",
    "FOLDED",
    "IR_VERSION",
    "MIXED",
    "OPSET",
    "PACKED",
    "PRECISIONS",
    "STATISTICS",
    "IntegerForm",
    "Model",
    "Nodes",
    "Ranges",
    "Segment",
    "activation_ranges",
    "build_beside",
    "build_model",
    "form_in",
    "in_precision",
    "integer_form",
    "mixed_space",
    "network_model",
    "norm_prefix",
    "open_sizes",
    "packable",
    "parse_precision",
    "precision_parts",
    "quantized",
    "random_feeds",
    "rounded_weight",
    "segments",
    "short_tables",
    "size_cost",
    "to_onnx",
    "weight_bytes",
    "weight_shapes",
]
