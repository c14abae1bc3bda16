"""fp32 models to int8 with ``onnx.helper``: static in QDQ form, and dynamic by `_dynamic`.

Weights are symmetric int8 per output channel, activations uint8 per tensor (with int8 activations onnxruntime's CPU provider is
2 times slower), and biases int32. Pairs of QuantizeLinear and DequantizeLinear surround every node with an integer kernel
(`IntegerForm`). Hard swish and hard sigmoid have none and compute in real numbers.

In a mixed model, `build_model` marks only the nodes of int8 layers. A layer's `Convert` is then one node: QuantizeLinear after
an fp32 layer, or DequantizeLinear after an int8 layer.

Several forms were compared on an AVX-512 VNNI CPU (onnxruntime 1.32, one thread; median speed-up over fp32 of six random
subnets of ofa_mbv3_w1.0, ofa_proxyless_w1.3 and ofa_resnet50):

- everything in integers: 1.18, 1.73, 2.80;
- the same without the first convolution, whose three channels do not fill the four lanes of an integer dot product:
  **1.24, 1.69, 2.91**. This form is written here;
- hard swish as a product with an integer gate: 1.24, 1.79, 2.89;
- squeeze-excite in fp32: 1.16, 1.70, 2.86;
- depthwise convolutions in fp32: 0.99 on ofa_mbv3_w1.0;
- only 7x7 depthwise convolutions in fp32, which take several times as long in integers: 1.20, 1.37, 2.91, because the layout
  changes around them cost more than they save.

`onnxruntime.quantization.quantize_static` writes an equivalent model in 3 s. This takes 0.05 s, which matters because profiling
a space needs hundreds of networks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.graph._build import rewritten
from hwnas.graph._dynamic import Written, dynamic_product, stored_table

if TYPE_CHECKING:
    import onnx

Ranges = Mapping[str, tuple[float, float]]
"""Smallest and largest values of activations, by name."""

_LEAST = 1e-20
"""Width below which a range counts as empty."""

_SAME_VALUES = ("MaxPool", "Flatten")
SATURATING = ("Relu", "Clip")
"""Activations that the range of a quantised output performs, so that runtimes drop them."""


def quantized(
    model: onnx.ModelProto, ranges: Ranges, chosen: Callable[[str], bool] = lambda _: True
) -> onnx.ModelProto:
    """The int8 model of an fp32 one. Input and output stay fp32.

    Nodes keep their names. New ones are named ``<slot>/<op>/QuantizeLinear`` and ``.../DequantizeLinear``.

    Args:
        model: from `build_model`; not changed.
        ranges: of every activation. The nodes of the graph do not depend on them.
        chosen: whether a node, by its name ``<slot>/<op>``, may become integer; the others stay fp32.
    """
    writer = _Writer(model, ranges, chosen)
    for node in model.graph.node:
        writer.add(node)
    return rewritten(model, writer.nodes, writer.initializers)


def scale_and_zero(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of uint8 numbers that cover ``low`` to ``high`` and represent 0 exactly.

    If 0 is the low end, they do not exceed ``high``, because only then runtimes recognise a clip as superfluous.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255) if high - low > _LEAST else np.float32(1)
    while low == 0 and _LEAST < high < np.float32(255) * scale:
        scale = np.nextafter(scale, np.float32(0))
    return scale, np.uint8(np.clip(np.rint(-low / scale), 0, 255))


class _Writer:
    def __init__(self, model: onnx.ModelProto, ranges: Ranges, chosen: Callable[[str], bool]) -> None:
        from onnx import numpy_helper

        self.ranges = ranges
        self.chosen = chosen
        self.weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.outputs = {value.name for value in model.graph.output}
        self.source = {name: node for node in model.graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._written: set[str] = set()
        self._dequantized: dict[str, str] = {}
        self._dynamic: dict[str, tuple[str, str, str]] = {}

    def add(self, node: onnx.NodeProto) -> None:
        """Add the node with its conversions, or the nodes that replace it."""
        import onnx

        if self._is(node, "dynamic") and node.op_type == "MatMul" and node.input[1] in self.weights:
            x = self._dequantized.get(node.input[0], node.input[0])
            written, self._dynamic[x] = dynamic_product(node, x, self.weights[node.input[1]], self._dynamic)
            self._take(written)
            return
        if self._is(node, "stored"):
            self._take(stored_table(node, self.weights[node.input[0]]))
            return
        if self._converts(node):
            self._convert(node)
            return
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:]
        integer = self._is_integer(node)
        for name in node.input:
            if name in self.weights:
                copy.input.append(self._weight(node, name) if integer else self._plain(name))
            else:
                copy.input.append(self._quantize(name) if integer else self._dequantized.get(name, name))
        (output,) = node.output
        self.nodes.append(copy)
        wanted = integer or self._ends_one(node) or any(self._is_integer(reader) for reader in self.readers[output])
        if wanted and not self._saturates(output):
            if output not in self.outputs:
                self._quantize(output)
            elif node.op_type != "Gemm":  # an integer matrix product returns logits in fp32
                copy.output[0] = f"{output}.real"
                self._pair(copy.output[0], copy.output[0], output, self._parameters(output))

    def _take(self, written: Written) -> None:
        self.nodes += written.nodes
        for name, value in written.constants.items():
            self._initializer(name, value)

    def _is(self, node: onnx.NodeProto, form: str) -> bool:
        return bool(node.doc_string == form) and self.chosen(node.name)

    def _is_integer(self, node: onnx.NodeProto) -> bool:
        return self._is(node, "static")

    def _converts(self, node: onnx.NodeProto) -> bool:
        return bool(node.op_type == "Identity") and node.output[0] not in self.outputs

    def _convert(self, node: onnx.NodeProto) -> None:
        """Round a real value at a boundary between layers; an integer value has been rounded already."""
        (before,), (after,) = node.input, node.output
        real = before not in self._dequantized
        if real and any(self._is_integer(reader) for reader in self.readers[after]):
            self._dequantized[after] = f"{after}.rounded"
            self._pair(before, after, f"{after}.rounded", self._parameters(after))
        else:
            self._dequantized[after] = self._dequantized.get(before, before)

    def _ends_one(self, node: onnx.NodeProto) -> bool:
        """Whether the node is an activation that the range of an integer node's output performs."""
        if node.op_type not in SATURATING or not self._saturates(node.input[0]):
            return False
        source = self.source.get(node.input[0])
        return source is not None and self._is_integer(source)

    def _saturates(self, name: str) -> bool:
        """Whether the value's only reader is an activation that its quantised output's range performs."""
        readers = self.readers[name]
        return len(readers) == 1 and readers[0].op_type in SATURATING

    def _parameters(self, name: str) -> tuple[np.float32, np.uint8]:
        source = self.source.get(name)
        if source is not None and source.op_type in _SAME_VALUES:
            return self._parameters(source.input[0])
        low, high = self.ranges[name]
        kinds = {reader.op_type for reader in self.readers[name]}
        if kinds and kinds <= {"HardSwish", "HardSigmoid"}:
            low = max(low, -3.0)  # both are 0 below
        if kinds == {"HardSigmoid"}:
            high = min(high, 3.0)
        return scale_and_zero(low, high)

    def _quantize(self, name: str) -> str:
        """Name of the rounded value; its pair of nodes is written once."""
        if name not in self._dequantized:
            self._dequantized[name] = f"{name}.rounded"
            self._pair(name, name, f"{name}.rounded", self._parameters(name))
        return self._dequantized[name]

    def _pair(self, value: str, name: str, rounded: str, parameters: tuple[np.float32, np.uint8]) -> None:
        """Write the two nodes that round a value.

        They are named after ``name``, but a DequantizeLinear that stands for a boundary is named after the boundary.
        """
        from onnx import helper

        readers = self.readers[value]
        boundary = readers[0].output[0] if len(readers) == 1 and self._converts(readers[0]) else name
        constants = [f"{name}.scale", f"{name}.zero"]
        for constant, number in zip(constants, parameters, strict=True):
            self._initializer(constant, np.array(number))
        for operator, before, after, owner in (
            ("QuantizeLinear", value, f"{name}.integer", name),
            ("DequantizeLinear", f"{name}.integer", rounded, boundary),
        ):
            self.nodes.append(helper.make_node(operator, [before, *constants], [after], name=f"{owner}/{operator}"))

    def _weight(self, node: onnx.NodeProto, name: str) -> str:
        """Name of the rounded weight or bias of a convolution or matrix product."""
        from onnx import helper

        weight = self.weights[node.input[1]]
        incoming, _ = self._parameters(node.input[0])
        bias = self.weights[node.input[2]] if len(node.input) > 2 else np.zeros(len(weight), np.float32)
        scale = _channel_scales(weight, bias, incoming)
        values, limit, kind = self.weights[name], 127, "int8"
        if name != node.input[1]:
            scale, limit, kind = scale * incoming, 2**31 - 1, "int32"
        integers = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float64))
        constants: dict[str, NDArray[Any]] = {
            f"{name}.integer": np.clip(integers, -limit, limit).astype(kind),
            f"{name}.scale": scale,
            f"{name}.zero": np.zeros(len(scale), dtype=kind),
        }
        for constant, value in constants.items():
            self._initializer(constant, value)
        self.nodes.append(
            helper.make_node(
                "DequantizeLinear", list(constants), [f"{name}.rounded"], name=f"{name}/DequantizeLinear", axis=0
            )
        )
        return f"{name}.rounded"

    def _plain(self, name: str) -> str:
        if name not in self._written:
            self._initializer(name, self.weights[name])
        return name

    def _initializer(self, name: str, value: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self._written.add(name)
        self.initializers.append(numpy_helper.from_array(value, name))


def _channel_scales(
    weight: NDArray[np.float32], bias: NDArray[np.float32], incoming: np.float32
) -> NDArray[np.float32]:
    """``(out,)`` steps of the weights of each output channel.

    The bias is counted in steps of this times the input's step. A channel with tiny weights gets a larger step, so that the
    bias fits into 32 bits.
    """
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1) / 127
    needed = np.abs(bias) / (np.float64(incoming) * 2**30)
    scale: NDArray[np.float32] = np.maximum(np.maximum(largest, needed), 1e-12).astype(np.float32)
    return scale
