"""Nodes that hwnas can never read.

They are refused before the graph is read, because exporters put other unknown nodes before them, which are not the cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hwnas.errors import SupernetError

if TYPE_CHECKING:
    import onnx

STANDARD = ("", "ai.onnx")
"""Names of ONNX's standard domain of operators."""

_REFUSED = {
    ("If", "Loop", "Scan", "SequenceMap"): (
        "it is control flow, and a supernet's layers are the same for every image",
        "export the network without it",
    ),
    ("LSTM", "GRU", "RNN"): ("it is recurrent, and hwnas reads networks of convolutions", "pass one without it"),
    ("ArgMax", "TopK", "NonMaxSuppression"): (
        "it chooses among the classes, and subnets are measured by their logits",
        "export the network without it",
    ),
    (
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"),
    ): (
        "the network is quantised already, and subnets are made of its float weights",
        "pass the file from before; --precision int8 quantises subnets",
    ),
}
"""Rule and remedy by operators."""


def refuse(nodes: Iterable[onnx.NodeProto], origin: str) -> None:
    """Refuse a graph by its first node that can never be read.

    Raises:
        SupernetError: names the node.
    """
    for node in nodes:
        for operators, (rule, remedy) in _REFUSED.items():
            if node.op_type in operators and node.domain in STANDARD:
                raise refusal(node, origin, rule, remedy)
        if node.domain not in STANDARD:
            rule = f"it is an operator of {node.domain}, and hwnas reads ONNX's standard ones"
            raise refusal(node, origin, rule, "export the network as it was trained, not optimised for a runtime")


def label(node: onnx.NodeProto) -> str:
    """The node's name, or that of its output if it has none."""
    return node.name or next(iter(node.output), "?")


def refusal(node: onnx.NodeProto, origin: str, rule: str, remedy: str) -> SupernetError:
    """An error to raise, which names the node, its operator and the file."""
    return SupernetError(f"{origin}, node {label(node)} ({node.op_type})", rule, remedy)
