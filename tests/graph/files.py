"""ONNX files in their textual form, and what is read of them, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from hwnas.graph import build_model
from hwnas.graph.read import ReadNetwork, read_network
from hwnas.space import LayerSpec
from hwnas.supernet import folded

END = "p = GlobalAveragePool(h) y = Flatten(p)"


def written(
    path: Path,
    body: str,
    *,
    opset: int = 17,
    inputs: str = "float[N,4,8,8] x",
    outputs: str = "float[N,C] y",
    **weights: Any,
) -> Path:
    """A file of ONNX's textual form; numbers drawn for ``weights``, which are shapes or arrays."""
    rng = np.random.default_rng(0)
    text = f'<ir_version: 8, opset_import: ["": {opset}]> g ({inputs}) => ({outputs}) {{ {body} }}'
    model = onnx.parser.parse_model(text)
    for name, value in weights.items():
        array = rng.uniform(0.2, 1, value) if isinstance(value, tuple) else np.asarray(value)
        kept = array.astype(np.float32) if array.dtype.kind == "f" else array
        model.graph.initializer.append(numpy_helper.from_array(kept, name))
    path.write_bytes(model.SerializeToString())
    return path


def rebuilt(network: ReadNetwork) -> onnx.ModelProto:
    """The network as we write it."""
    weights: dict[str, NDArray[np.float32]] = {}
    for op, own in zip(network.ops, network.weights, strict=True):
        tensors = {part: torch.from_numpy(np.array(array)).double() for part, array in own.items()}
        for part, tensor in folded(op, tensors, network.bn_eps).items():
            weights[f"all/{op.name}.{part}"] = tensor.numpy().astype(np.float32)
    layer = LayerSpec("all", network.input_shape, network.ops)
    return build_model([("all", layer)], weights=weights)


def outputs(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString())
    found: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: x})[0]
    return found


def same(path: Path) -> ReadNetwork:
    """The network, after a look at whether it computes what the file does."""
    network = read_network(path)
    x = np.random.default_rng(1).normal(0, 3, (2, *network.input_shape)).astype(np.float32)
    expected = outputs(onnx.load(path), x)
    np.testing.assert_allclose(outputs(rebuilt(network), x), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return network


POOL = "{}<kernel_shape = [3, 3], strides = [2, 2]{}>"
AROUND = ", pads = [1, 1, 1, 1]"
