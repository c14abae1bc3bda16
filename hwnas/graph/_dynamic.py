"""Integers without calibrated ranges: matrix products of sequences, and embedding tables stored as integers.

The nodes are those of `onnxruntime.quantization.quantize_dynamic` with weights per channel, which onnxruntime fuses into one
kernel per product. Products with the same input share its integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

LARGEST = {"product": 63, "table": 127}
"""Largest integers of weights. x86 CPUs without four-way integer dot products add pairs of products in 16 bits, in which two
times 255 x 127 overflow: a linear map of random weights is 37 % off there, and 0.6 % on other CPUs. With seven bits it is
0.7 % off everywhere."""

_LEAST = 1e-12
"""Smallest step, for channels whose weights are all 0."""


@dataclass
class Written:
    """Nodes in order, and constants by name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)


def dynamic_product(
    node: onnx.NodeProto, x: str, weight: NDArray[np.float32], known: Mapping[str, tuple[str, str, str]]
) -> tuple[Written, tuple[str, str, str]]:
    """A MatMul in integers, whose input is rounded at run time.

    Args:
        node: reads ``x`` and a weight ``(in, out)``; its output keeps its name.
        x: name of the input.
        weight: the constant.
        known: names of integers, scale and zero point of values that are rounded already.

    Returns:
        The nodes that replace it, and the names of integers, scale and zero point of its input.
    """
    from onnx import helper

    name, constant, (output,) = node.name, node.input[1], node.output
    written = Written()

    def add(operator: str, inputs: list[str], outputs: list[str], ending: str = "", **attributes: Any) -> str:
        own = f"{name}/{ending or operator}"
        written.nodes.append(helper.make_node(operator, inputs, outputs, name=own, **attributes))
        return outputs[0]

    rounded = known.get(x)
    if rounded is None:
        rounded = (f"{x}.dynamic", f"{x}.dynamic.scale", f"{x}.dynamic.zero")
        add("DynamicQuantizeLinear", [x], list(rounded))
    integers, scale = _rounded(weight, 1, LARGEST["product"])
    written.constants |= {
        f"{constant}.integer": integers,
        f"{constant}.scale": scale,
        f"{constant}.zero": np.zeros(len(scale), dtype=np.int8),
    }
    product = [rounded[0], f"{constant}.integer", rounded[2], f"{constant}.zero"]
    sums = add("MatMulInteger", product, [f"{name}/sums"])
    real = add("Cast", [sums], [f"{name}/real"], to=1)  # float32
    steps = add("Mul", [rounded[1], f"{constant}.scale"], [f"{name}/steps"], "steps")
    add("Mul", [real, steps], [output], "Mul")
    return written, rounded


def stored_table(node: onnx.NodeProto, table: NDArray[np.float32]) -> Written:
    """A Gather of rows from a table that is stored as integers, with a step per row.

    Args:
        node: reads the table ``(rows, channels)`` and indices; its output keeps its name.
        table: the constant.
    """
    from onnx import helper

    name, (constant, indices), (output,) = node.name, node.input, node.output
    integers, scale = _rounded(table, 0, LARGEST["table"])
    written = Written(constants={f"{constant}.integer": integers, f"{constant}.scale": scale[:, None]})
    for operator, inputs, result, ending in (
        ("Gather", [f"{constant}.integer", indices], f"{name}/integers", "Gather"),
        ("Cast", [f"{name}/integers"], f"{name}/real", "Cast"),
        ("Gather", [f"{constant}.scale", indices], f"{name}/steps", "steps"),
        ("Mul", [f"{name}/real", f"{name}/steps"], output, "Mul"),
    ):
        attributes: dict[str, Any] = {"to": 1} if operator == "Cast" else {}  # float32
        written.nodes.append(helper.make_node(operator, inputs, [result], name=f"{name}/{ending}", **attributes))
    return written


def of_stored(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values of a table after it was stored as integers."""
    integers, scale = _rounded(table, 0, LARGEST["table"])
    return integers * scale[:, None]


def _rounded(weight: NDArray[np.float32], axis: int, largest: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric integers of a matrix, and the step of each channel along an axis."""
    steps = np.maximum(np.abs(weight).max(axis=1 - axis) / largest, _LEAST).astype(np.float32)
    per_channel = steps[:, None] if axis == 0 else steps
    return np.clip(np.rint(weight / per_channel), -largest, largest).astype(np.int8), steps
