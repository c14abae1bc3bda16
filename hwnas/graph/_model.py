"""A model that runtimes run, built by hwnas or read from a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.graph._build import build_model
from hwnas.graph._precision import in_precision
from hwnas.graph._short import short_tables
from hwnas.space import Network, network_inputs

if TYPE_CHECKING:
    import onnx

PRECISION = "precision"
"""The property of an exported file that states its precision."""

LAYERS = "layers"
"""The property of a network's model that lists its slots and the keys of their layers."""


@dataclass(frozen=True)
class Input:
    """An input of a model.

    Attributes:
        name: of the value.
        element: numpy's name of its element type.
        shape: including the batch.
        below: integers are less than this; None if the bound is unknown.
    """

    name: str
    element: str
    shape: tuple[int, ...]
    below: int | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """An ONNX model, and the sizes of its inputs.

    Attributes:
        content: the serialised ONNX model.
        inputs: in the model's order.
        precision: of weights and arithmetic: one of ``PRECISIONS``, or ``fp32+int8`` where layers have their own.
    """

    content: bytes
    inputs: tuple[Input, ...]
    precision: str = "fp32"

    @classmethod
    def of(
        cls,
        model: onnx.ModelProto,
        *,
        batch: int = 1,
        precision: str = "fp32",
        sizes: Mapping[str, int] | None = None,
    ) -> Model:
        """The model of an ONNX model.

        Args:
            model: an ONNX model.
            batch: size of open axes, except those whose size the model's properties state.
            precision: of weights and arithmetic.
            sizes: of open axes by name, instead of those in the properties.
        """
        constants = {tensor.name for tensor in model.graph.initializer}
        known = {name: int(size) for name, size in _properties(model).items() if size.isdecimal()} | dict(sizes or {})
        inputs = tuple(_input(value, batch, known) for value in model.graph.input if value.name not in constants)
        return cls(model.SerializeToString(), inputs, precision)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, batch: int = 1, sizes: Mapping[str, int] | None = None) -> Model:
        """The model in any ONNX file; ``batch`` and ``sizes`` as in :meth:`of`.

        Raises:
            DataError: it cannot be read as ONNX.
        """
        import onnx
        from google.protobuf.message import DecodeError

        try:
            model = onnx.load_model_from_string(Path(path).read_bytes())
        except (OSError, DecodeError) as error:
            raise DataError(f"file {path}", f"it cannot be read as ONNX ({error})", "export it again") from error
        return cls.of(model, batch=batch, precision=_properties(model).get(PRECISION, "fp32"), sizes=sizes)

    def feed(self, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
        """A random array for every input by name.

        Real inputs are normal numbers, and integers lie below the input's bound. Without a bound, masks are ones and other
        integers zeros.
        """
        return _feed(self.inputs, seed)


def network_model(
    network: Network,
    *,
    batch: int = 1,
    precision: str = "fp32",
    weights: Mapping[str, NDArray[np.float32]] | None = None,
    fixed_sizes: bool = False,
) -> Model:
    """The model of a network for timing: the graph that is exported, but with `short_tables`.

    Args:
        network: ``(slot, layer)`` in order, which the model lists in its property ``layers``.
        batch: samples per run.
        precision: one of ``PRECISIONS``, or ``fp32+int8`` where layers have their own.
        weights: for the network with `short_tables`, as in `build_model`; by default random ones.
        fixed_sizes: fix all sizes, for runtimes that need it; otherwise they are open, as in an exported file.
    """
    network = short_tables(network, batch)
    about = {LAYERS: json.dumps([[slot, layer.key] for slot, layer in network])}
    built = in_precision(
        build_model(network, weights=weights, batch=batch if fixed_sizes else None, metadata=about), precision
    )
    return Model(built.SerializeToString(), _inputs_of(network, batch), precision)


def random_feeds(
    network: Network, batch: int = 1, seed: int = 0, sizes: Mapping[str, int] | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """Random arrays for every input of a network by name, as `Model.feed`; ``sizes`` replace those of open axes."""
    return _feed(_inputs_of(network, batch, sizes), seed)


def _inputs_of(network: Network, batch: int, sizes: Mapping[str, int] | None = None) -> tuple[Input, ...]:
    specs = {name: spec if sizes is None else spec.sized(sizes) for name, spec in network_inputs(network).items()}
    return tuple(Input(name, spec.element, (batch, *spec.shape), spec.below) for name, spec in specs.items())


def _properties(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def _input(value: onnx.ValueInfoProto, batch: int, sizes: Mapping[str, int]) -> Input:
    """An input, whose open axes take their size from ``sizes`` by name, or else from the batch."""
    from onnx import helper

    tensor = value.type.tensor_type
    dims = tensor.shape.dim
    shape = tuple(d.dim_value if d.HasField("dim_value") else sizes.get(d.dim_param, batch) for d in dims)
    return Input(value.name, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)), shape)


def _feed(inputs: Sequence[Input], seed: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    return {each.name: _values(each, rng) for each in inputs}


def _values(of: Input, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if np.issubdtype(np.dtype(of.element), np.floating):
        return rng.standard_normal(of.shape, dtype=np.float32).astype(of.element, copy=False)
    if of.below is None:  # 0 is a valid token and a valid segment, of which some networks have only one
        return np.full(of.shape, int("mask" in of.name), dtype=of.element)
    return rng.integers(of.below, size=of.shape, dtype=of.element)
