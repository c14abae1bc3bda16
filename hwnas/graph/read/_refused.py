"""Nodes that no network of ours has, wherever they stand.

They are told before the graph is walked: an exporter puts other nodes before them, which are not what has to go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hwnas.errors import SupernetError

if TYPE_CHECKING:
    import onnx

STANDARD = ("", "ai.onnx")
"""Names of ONNX's own domain of operators."""

_REFUSED = {
    ("If", "Loop", "Scan", "SequenceMap"): (
        "it is control flow, and a supernet's layers are the same for every image",
        "export the network without it",
    ),
    ("LSTM", "GRU", "RNN"): ("it is recurrent, and hwnas reads networks of convolutions", "pass one without it"),
    (
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"),
    ): (
        "the network is quantised already, and subnets are made of its float weights",
        "pass the file from before; --precision int8 quantises subnets",
    ),
}
"""Why, and what to do instead, by operators."""


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
            rule = f"it is an operator of {node.domain}, and hwnas reads ONNX's own"
            raise refusal(node, origin, rule, "export the network as it was trained, not optimised for a runtime")


def label(node: onnx.NodeProto) -> str:
    """The node's name, or what it gives if it has none."""
    return node.name or next(iter(node.output), "?")


def refusal(node: onnx.NodeProto, origin: str, rule: str, remedy: str) -> SupernetError:
    """To raise: it names the node, its operator and the file."""
    return SupernetError(f"{origin}, node {label(node)} ({node.op_type})", rule, remedy)
