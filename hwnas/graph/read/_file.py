"""Opening of ONNX files with all their weights, one input for images, and one output."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.progress import notice
from hwnas.space.ops import Shape

if TYPE_CHECKING:
    import onnx

USUAL_SIZE = 224
"""Pixels along both sides if a file leaves them open; the usual size of ImageNet's networks."""

CHANNELS = 3

REAL = (1, 10, 11, 16)
"""ONNX's numbers for float, float16, double and bfloat16."""

STANDARDISING = ("Identity", "Cast", "Add", "Sub", "Mul", "Div")
"""Operators with which TensorFlow's networks standardise an image before they put its channels first."""


@dataclass(frozen=True)
class Graph:
    """The graph of a file.

    Attributes:
        nodes: in topological order.
        constants: weights by name.
        input: name of the image, with channels first.
        shape: ``(channels, height, width)`` of the image.
        batch: number of images for which the file was exported, if that is fixed; else 1.
        output: name of the logits.
        opset: ONNX operator set.
    """

    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, NDArray[Any]]
    input: str
    shape: Shape
    batch: int
    output: str
    opset: int


def open_graph(path: str | os.PathLike[str]) -> Graph:
    """The graph of a file.

    Raises:
        SupernetError: it cannot be read as ONNX, weights beside it are missing, or its inputs and outputs are not one image
            and logits.
    """
    from onnx import helper, numpy_helper

    name = f"supernet {path}"
    graph, opset = _loaded(Path(path), name)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise SupernetError(name, f"a network of images has one input, and it has {names}", "export it with one")
    if len(graph.output) != 1:
        names = ", ".join(value.name for value in graph.output)
        rule = f"it has {len(graph.output)} outputs ({names}), and logits are one"
        raise SupernetError(name, rule, "export it with one, in evaluation mode")
    image, nodes = inputs[0].name, [*graph.node]
    last = _channels_last(nodes, image)
    batch, shape = _image(inputs[0], name, channels_last=last)
    if last:
        first = f"{image}, channels first"
        nodes.insert(0, helper.make_node("Transpose", [first], [image], name=image, perm=[0, 2, 3, 1]))
        image = first
    return Graph(tuple(nodes), constants, image, shape, batch, graph.output[0].name, opset)


def _channels_last(nodes: Sequence[onnx.NodeProto], value: str) -> bool:
    """Whether a transposition puts the channels first before any other than elementwise nodes, as in TensorFlow's networks."""
    readers = [node for node in nodes if value in node.input]
    if len(readers) == 1 and readers[0].op_type in STANDARDISING:
        return _channels_last(nodes, readers[0].output[0])
    transposes = len(readers) == 1 and readers[0].op_type == "Transpose"
    return transposes and attributes(readers[0]).get("perm") == [0, 3, 1, 2]


def _loaded(path: Path, name: str) -> tuple[onnx.GraphProto, int]:
    import onnx.inliner
    from google.protobuf.message import DecodeError
    from onnx.external_data_helper import load_external_data_for_model, uses_external_data

    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except FileNotFoundError:
        raise SupernetError(name, "there is no such file", "correct the path") from None
    except OSError as error:
        raise SupernetError(name, f"it cannot be read ({error.strerror})", "correct the path") from None
    except DecodeError as error:
        raise SupernetError(name, f"it cannot be read as ONNX ({error})", "export it again") from None
    if not model.graph.node:
        raise SupernetError(name, "it has no nodes", "export the network again")
    for tensor in model.graph.initializer:
        if uses_external_data(tensor):
            where = next(entry.value for entry in tensor.external_data if entry.key == "location")
            if not (path.parent / where).is_file():
                rule = f"its weights are in {where}, which is not beside it"
                raise SupernetError(name, rule, f"put {where} into the folder of {path.name}")
    try:
        load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SupernetError(name, f"its weights cannot be read ({reason})", "export it again") from None
    if model.functions:  # of an exporter's own, made of ONNX's operators
        model = onnx.inliner.inline_local_functions(model)
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    return model.graph, opset


def _image(value: onnx.ValueInfoProto, name: str, *, channels_last: bool) -> tuple[int, Shape]:
    """The batch, and ``(channels, height, width)`` with the usual sizes for open ones."""
    from onnx import TensorProto

    kind = value.type.tensor_type
    sizes = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim]
    element = TensorProto.DataType.Name(kind.elem_type).lower()
    if kind.elem_type not in REAL or len(sizes) != 4:
        stated = "x".join(str(s or "?") for s in sizes) or "of no known shape"
        found = f"its input {value.name} is {element} {stated}"
        raise SupernetError(name, f"{found}, not float of batch, channels, height, width", "export it for images")
    if kind.elem_type != TensorProto.FLOAT:
        notice(f"{name} is of {element}: exported files are float")
    batch, channels, height, width = sizes
    if channels_last:
        _, height, width, channels = sizes
        notice(f"{name} has its channels last: exported files have them first")
    if height is None or width is None:
        height, width = height or width or USUAL_SIZE, width or height or USUAL_SIZE
        notice(f"{name} leaves its image size open: {height} x {width} is taken")
    return batch or 1, (channels or CHANNELS, height, width)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name; texts are decoded."""
    from onnx import helper

    found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {key: value.decode() if isinstance(value, bytes) else value for key, value in found.items()}


def evaluated(node: onnx.NodeProto, inputs: dict[str, NDArray[Any]], opset: int) -> list[NDArray[Any]]:
    """The outputs of a node for constants, by ONNX's reference implementation."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    infos = [
        helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for key, value in inputs.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(output) for output in node.output if output]
    graph = helper.make_graph([node], "constant", infos, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(value) for value in ReferenceEvaluator(model).run(None, inputs)]
