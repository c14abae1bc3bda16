"""A model: what a runtime runs, whoever built it."""

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
"""The property of an exported file that tells what it computes in."""

LAYERS = "layers"
"""The property of a network's model that tells its slots and the keys of their layers."""


@dataclass(frozen=True)
class Input:
    """An input of a model.

    Attributes:
        name: of the value.
        element: numpy's name of its element type.
        shape: batch included.
        below: integers are less than this; None if that is not known.
    """

    name: str
    element: str
    shape: tuple[int, ...]
    below: int | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """An ONNX model, and the sizes it is run at.

    Attributes:
        content: the serialised ONNX model.
        inputs: in the model's order.
        precision: what weights and arithmetic are in: one of ``PRECISIONS``, or ``fp32+int8`` where layers say theirs.
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
        """The model of an ONNX one.

        Args:
            model: an ONNX model.
            batch: what every size that the model leaves open is taken as, but a length that its properties tell.
            precision: what it computes in.
            sizes: of open axes by name, in place of what its properties tell.
        """
        constants = {tensor.name for tensor in model.graph.initializer}
        told = {name: int(size) for name, size in _properties(model).items() if size.isdecimal()} | dict(sizes or {})
        inputs = tuple(_input(value, batch, told) for value in model.graph.input if value.name not in constants)
        return cls(model.SerializeToString(), inputs, precision)

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, batch: int = 1, sizes: Mapping[str, int] | None = None) -> Model:
        """The model in a file, whoever wrote it; ``batch`` and ``sizes`` as of :meth:`of`.

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
        """An array for every input by name: normal numbers; integers below what the input allows, or else masks that hide nothing, and zeros."""
        return _feed(self.inputs, seed)


def network_model(
    network: Network,
    *,
    batch: int = 1,
    precision: str = "fp32",
    weights: Mapping[str, NDArray[np.float32]] | None = None,
    fixed_sizes: bool = False,
) -> Model:
    """The model of a network for timing: the graph that is exported, of which only `short_tables` set it apart.

    Args:
        network: ``(slot, layer)`` in order; the model tells them in its property ``layers``.
        batch: samples per run.
        precision: one of ``PRECISIONS``, or ``fp32+int8`` where layers say theirs.
        weights: of `short_tables` of the network, as in `build_model`; by default random ones.
        fixed_sizes: runtimes that know no others; all else is left open, as in an exported file.
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
    """Arrays for every input of a network by name, as `Model.feed`; ``sizes`` of open axes other than its own."""
    return _feed(_inputs_of(network, batch, sizes), seed)


def _inputs_of(network: Network, batch: int, sizes: Mapping[str, int] | None = None) -> tuple[Input, ...]:
    specs = {name: spec if sizes is None else spec.sized(sizes) for name, spec in network_inputs(network).items()}
    return tuple(Input(name, spec.element, (batch, *spec.shape), spec.below) for name, spec in specs.items())


def _properties(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def _input(value: onnx.ValueInfoProto, batch: int, sizes: Mapping[str, int]) -> Input:
    """An input, with the sizes that it leaves open by the names of their axes, or else the batch's."""
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
    if of.below is None:  # valid as token and as type, of which some networks have one alone
        return np.full(of.shape, int("mask" in of.name), dtype=of.element)
    return rng.integers(of.below, size=of.shape, dtype=of.element)
