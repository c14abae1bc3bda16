"""LayerSpecs to ONNX by ``onnx.helper``: no torch, no tracing, milliseconds per network.

Hard swish, hard sigmoid and global pooling are single operators, which runtimes execute 15-18 %
faster than the arithmetic that tracing a torch model writes; batch norms are folded.
"""

# ruff: noqa: PLC0415 (onnx takes a while to import)

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.graph.ops import LENGTH, Nodes, initial_shapes
from hwnas.space import Network, Shape, TensorSpec, network_inputs

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""Has every operator used here, and onnxruntime reads it since 1.12."""

BATCH = "N"
"""The dynamic axis of samples."""

IR_VERSION = 8
"""The version that came with opset 17."""


def sequence_length(inputs: Mapping[str, TensorSpec]) -> int | None:
    """How many tokens a network is fed, by their ids; None if it is fed something else.

    Args:
        inputs: by name, as `network_inputs` tells.
    """
    lengths = {spec.shape[0] if len(spec.shape) == 1 and _counts(spec) else None for spec in inputs.values()}
    return lengths.pop() if len(lengths) == 1 else None


def _counts(spec: TensorSpec) -> bool:
    return bool(np.issubdtype(np.dtype(spec.element), np.integer))


def weight_shapes(network: Network) -> dict[str, Shape]:
    """Shape of every array that `build_model` takes, by name, in network order.

    A convolution has ``<slot>/<op>.weight`` ``(out, in / groups, k, k)`` and, if it has a bias or a
    (folded) batch norm, ``<slot>/<op>.bias`` ``(out,)``; a linear map ``(out, in)`` and ``(out,)``; other ops
    what `initial_shapes` says.
    """
    return {
        f"{slot}/{op.name}.{part}": shape
        for slot, layer in network
        for op in layer.ops
        for part, shape in initial_shapes(op).items()
    }


def build_model(
    network: Network,
    *,
    weights: Mapping[str, NDArray[np.float32]] | None = None,
    batch: int | None = None,
    seed: int = 0,
    opset: int = OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The ONNX model of a network, from its inputs (``input`` ``(batch, channels, height, width)``) to ``logits``.

    Nodes are named ``<slot>/<op>``, those before the last of an op ``<slot>/<op>/<operator>``; initializers as in
    `weight_shapes`. Batch norms are folded into the convolution before them.

    Nodes say what int8 makes of them (`IntegerForm`), but those of layers that have another precision of their own.

    Args:
        network: the layers, each taking the output of the one before.
        weights: arrays by initializer name, batch norms folded; None draws random ones, scaled so
            that activations neither vanish (denormal numbers are slow) nor overflow.
        batch: fixes all sizes. None leaves them open, as a file that is deployed has them: a dynamic axis ``N``, and of texts an
            axis ``length``, for any length that the network has positions for; its own stands in the property of that
            name. It matters for time too: runtimes fuse other operators where sizes are fixed.
        seed: of the random weights.
        opset: ONNX operator set, 14 or later.
        metadata: properties stored in the model.

    Raises:
        SpaceError: layers do not fit together, or a class of op has no ONNX form.
        SupernetError: a weight is missing or has a wrong shape, or the opset lacks an operator.
    """
    from onnx import TensorProto, helper, numpy_helper

    inputs = network_inputs(network)
    shapes = weight_shapes(network)
    values = _random_weights(shapes, seed) if weights is None else _checked_weights(weights, shapes)
    length = sequence_length(inputs) if batch is None else None
    at = Nodes(values, opset, open_length=length is not None)
    at.values |= {name: name for name in inputs}

    about = dict(metadata or {})
    if length is not None:
        about[LENGTH] = str(length)
    samples = BATCH if batch is None else batch
    last = network[-1][1]
    result = "input"
    for slot, layer in network:
        names = [result]
        for op in layer.ops:
            name = f"{slot}/{op.name}"
            output = "logits" if layer is last and op is layer.ops[-1] else name
            integer = layer.precision in (None, "int8")
            names.append(at.write(op, name, [names[i] for i in op.inputs], output, integer=integer))
        result = names[-1]
    if result != "logits":  # the last op only passes a value on
        at.nodes.append(helper.make_node("Identity", [result], ["logits"], name="logits"))

    model = helper.make_model(
        helper.make_graph(
            at.nodes,
            "hwnas",
            [
                helper.make_tensor_value_info(
                    name,
                    helper.np_dtype_to_tensor_dtype(np.dtype(spec.element)),
                    [samples, *(spec.shape if length is None else [LENGTH])],
                )
                for name, spec in inputs.items()
            ],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [samples, *last.output_shape])],
            [numpy_helper.from_array(value, name) for name, value in at.initializers.items()],
            value_info=[
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in at.shapes.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=IR_VERSION,
        producer_name="hwnas",
    )
    helper.set_model_props(model, about)
    return model


def _random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, NDArray[np.float32]]:
    drawn, found = _drawn(seed), {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        values = drawn[:size].reshape(shape) if size <= len(drawn) else np.resize(drawn, shape)
        found[name] = values * np.float32(math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1)
    return found


_DRAWN = 1_000_003
"""Random numbers that all weights are made of: a prime, so that no two rows of a large weight are the same."""


@lru_cache(maxsize=1)
def _drawn(seed: int) -> NDArray[np.float32]:
    # Drawing all of a ResNet50's takes longer than loading it; large weights repeat some.
    return np.random.default_rng(seed).standard_normal(_DRAWN, dtype=np.float32)


def _checked_weights(
    weights: Mapping[str, NDArray[np.float32]], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.float32]]:
    checked = {}
    for name, shape in shapes.items():
        if name not in weights:
            raise SupernetError(f"weight {name}", "the subnet needs it and it is not given", "extract the subnet again")
        value = np.ascontiguousarray(weights[name], dtype=np.float32)
        if value.shape != shape:
            raise SupernetError(
                f"weight {name}", f"its shape is {value.shape}, not {shape}", "extract the subnet again"
            )
        checked[name] = value
    return checked
