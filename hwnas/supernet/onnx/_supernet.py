"""A convolutional network from an ONNX file as a supernet, with the file's weights sorted by importance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from hwnas.files import ends_in
from hwnas.graph.read import ReadNetwork
from hwnas.progress import notice
from hwnas.space import SearchSpace, network_inputs, with_classes
from hwnas.space.ops import Affine, Transpose
from hwnas.supernet._base import Supernet
from hwnas.supernet._checkpoint import Misfit
from hwnas.supernet._family import TensorShape
from hwnas.supernet._recipe import Recipe
from hwnas.supernet.onnx._elastic import ElasticNetwork
from hwnas.supernet.onnx._open import EPS, elastic_file, outline_of, outlined_network, read_file
from hwnas.supernet.onnx._sorted import sorted_weights
from hwnas.supernet.onnx._unfolded import folded_positions, unfolded, unfolded_tensors
from hwnas.supernet.train import extremes
from hwnas.task import GREY, IMAGENET, Preprocessing, Task

OF_BYTES = 0.05
"""A first scale below this is for pixels up to 255; for pixels up to 1 scales are larger, because deviations are below 1."""


class OnnxSupernet(Supernet):
    """The base of the supernets of ONNX files; :func:`onnx_supernet` makes a class for each file.

    The largest subnet equals the network of the file. Inner channels are sorted by importance.
    """

    recipe = Recipe("adamw", epochs=10, learning_rate=1e-3, weight_decay=0.01, validates=True)
    network_of: ClassVar[ElasticNetwork]
    file: ClassVar[Path | None] = None

    def __init__(
        self, tensors: Mapping[str, Tensor], origin: str = "unknown", space: SearchSpace | None = None
    ) -> None:
        super().__init__(tensors, origin, space)
        self.preprocessing = self._preprocessing()

    def _preprocessing(self) -> Preprocessing:
        """ImageNet's preprocessing for RGB or grey images, without standardisation if the network standardises images itself."""
        usual = GREY if self.network_of.input_shape[0] == 1 else IMAGENET
        stem = self.network_of.slots[0]
        first = next((op for op in stem.ops if not isinstance(op, Transpose)), None)
        if not isinstance(first, Affine):
            return usual
        scale = float(self.tensors[f"{stem.name}/{first.name}.weight"].abs().max())
        channels = len(usual.mean)
        return replace(usual, mean=(0.0,) * channels, std=(1.0,) * channels, divisor=1 if scale < OF_BYTES else 255)

    @classmethod
    def search_space(cls) -> SearchSpace:
        return cls.network_of.space

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        return cls.file

    @classmethod
    def outline(cls) -> Mapping[str, str]:
        return outline_of(cls.network_of, cls.bn_eps)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """The weights of an ONNX file of this network, or of a checkpoint with hwnas's names.

        Raises:
            SupernetError: they are of another network.
        """
        file = Path(path)
        if not ends_in(file, ".onnx"):
            return super().from_checkpoint(path)
        found = read_file(file)
        if (found.input_shape, found.ops) != (cls.network_of.input_shape, cls.network_of.ops):
            raise Misfit(f"checkpoint {path}", f"its network is not {cls.network_of.name}", "pass it as --supernet")
        return cls(_tensors(cls.network_of, found), file.name)

    def active_channels(self, name: str, tensor: Tensor, shape: TensorShape) -> Tensor:
        """Leading channels, of each part where several lie side by side."""
        slot, op = self.network_of.places[name]
        for axis, parts in enumerate((slot.rows.get(op), slot.columns.get(op))[: tensor.ndim]):
            if parts is not None and tensor.shape[axis] > shape[axis]:
                each = tensor.shape[axis] // parts.whole  # numbers per channel, where a feature map was flattened
                spans = parts.spans(shape[axis] // each)
                tensor = torch.cat([tensor.narrow(axis, a * each, (b - a) * each) for a, b in spans], axis)
        return super().active_channels(name, tensor, shape)

    def adapted(self, data: Task) -> OnnxSupernet:
        """The supernet with batch norms in the places where an exporter may have folded them, from statistics of ``data``."""
        network = self.network_of
        folded = folded_positions(network.ops)
        if not folded:
            return self
        notice(
            f"{self.origin} has no batch norms behind its convolutions, or folded ones: training begins with some, "
            "from what your images show"
        )
        names = [
            f"{slot.name}/{op.name}"
            for slot, positions in zip(network.slots, network.positions, strict=True)
            for op, i in zip(slot.ops, positions, strict=True)
            if i in folded
        ]
        layers = self.network(extremes(self.space)[1])
        batches = data.calibration(network_inputs(layers))
        tensors = unfolded_tensors(layers, self.tensors, names, batches, self.bn_eps)
        family = _family(replace(network, ops=unfolded(network.ops)), self.bn_eps, None)
        found = family(tensors, self.origin, with_classes(family.search_space(), self.classes))
        return found.with_identity_of(self)


def onnx_supernet(path: str | os.PathLike[str]) -> type[OnnxSupernet]:
    """The supernet of an ONNX file.

    Raises:
        SupernetError: it cannot be read; names the node.
    """
    return _family(elastic_file(path), read_file(path).bn_eps, Path(path))


def supernet_of_outline(metadata: Mapping[str, str], origin: str) -> type[OnnxSupernet]:
    """The supernet of a weight file, from its metadata.

    Raises:
        SupernetError: the outline cannot be read.
    """
    return _family(outlined_network(metadata, origin), float(metadata[EPS]), None)


@cache
def _family(network: ElasticNetwork, eps: float, file: Path | None) -> type[OnnxSupernet]:
    return type("OnnxFile", (OnnxSupernet,), {"network_of": network, "bn_eps": eps, "file": file})


def _tensors(network: ElasticNetwork, found: ReadNetwork) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for slot, positions in zip(network.slots, network.positions, strict=True):
        weights = sorted_weights(slot, [found.weights[i] for i in positions], found.bn_eps)
        for op, own in zip(slot.ops, weights, strict=True):
            tensors |= {f"{slot.name}/{op.name}.{part}": torch.from_numpy(array.copy()) for part, array in own.items()}
    return tensors
