"""The weights of a bundle's models, which are not in it.

The networks' weights are random, and random numbers do not compress. So the models refer to places in one shared file, which the
script writes on the board. This does not change the times: onnxruntime copies the weights that it packs, and the layers of a
network have different places in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.graph import Model, weight_shapes
from hwnas.space import Network

if TYPE_CHECKING:
    import onnx

WEIGHTS = "models/weights.bin"

ALIGNED = 16
"""Floats: weights begin at cache lines."""

LEAST = 64
"""Floats: smaller initializers stay in the model."""


def zeros(network: Network) -> dict[str, Any]:
    """Weights that do not matter, because `Layout` moves them out of the model."""
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in weight_shapes(network).items()}


class Layout:
    """Places of weights in the file that all models share.

    Weights have a standard deviation that keeps activations in range. It depends on their fan-in, and the file has one part for
    each value. The weights of one network have different places; different networks use the same places. Integer weights are
    the bytes of these floats. As 16-bit floats those bytes may be NaN, so fp16 weights stay in the models.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        sizes: dict[float, int] = {}
        for network in networks:
            mine: dict[float, int] = {}
            for shape in weight_shapes(network).values():
                mine[_scale(shape)] = mine.get(_scale(shape), 0) + _padded(math.prod(shape))
            for scale, size in mine.items():
                sizes[scale] = max(sizes.get(scale, 0), size)
        self.parts = sorted(sizes.items())
        self._starts: dict[float, int] = {}
        start = 0
        for scale, size in self.parts:
            self._starts[scale] = start
            start += size

    def outside(self, of: Model) -> onnx.ModelProto:
        """The model with its weights moved to the file."""
        import onnx
        from onnx import TensorProto

        model = onnx.load_model_from_string(of.content)
        free = dict(self._starts)
        bytes_each = {TensorProto.FLOAT: 4, TensorProto.INT8: 1}
        for weight in model.graph.initializer:
            shape = tuple(weight.dims)
            scale, size = _scale(shape), math.prod(shape)
            if not weight.name.endswith((".weight", ".bias", ".weight.integer")):
                continue
            if weight.data_type == TensorProto.FLOAT16:
                weight.raw_data = np.resize(_PATTERN * scale, shape).astype(np.float16).tobytes()
            elif size < LEAST and weight.data_type == TensorProto.FLOAT:
                weight.raw_data = np.full(shape, 0.1, dtype=np.float32).tobytes()
            elif size >= LEAST:
                length = bytes_each[weight.data_type] * size
                weight.ClearField("raw_data")
                weight.data_location = TensorProto.EXTERNAL
                facts = {"location": WEIGHTS.rpartition("/")[2], "offset": 4 * free[scale], "length": length}
                for key, value in facts.items():
                    weight.external_data.add(key=key, value=str(value))
                free[scale] += _padded(-(-length // 4))
        return model


_PATTERN = np.random.default_rng(0).standard_normal(1021)


def _scale(shape: tuple[int, ...]) -> float:
    return math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1


def _padded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
