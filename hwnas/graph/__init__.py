"""Networks of LayerSpecs as ONNX models. The graph that is profiled is the graph that is exported."""

from __future__ import annotations

from hwnas.graph._build import IR_VERSION, OPSET, Network, build_model, weight_shapes

__all__ = ["IR_VERSION", "OPSET", "Network", "build_model", "weight_shapes"]
