"""A convolutional network from an ONNX file as a supernet: its own weights, sorted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.graph.read import ReadNetwork, read_network
from hwnas.space import SearchSpace
from hwnas.supernet._base import Supernet
from hwnas.supernet.onnx._elastic import ElasticNetwork, elastic
from hwnas.supernet.onnx._outline import of_outline, outlined
from hwnas.supernet.onnx._sorted import sorted_weights

SUFFIX = ".onnx"


class OnnxSupernet(Supernet):
    """What the supernets of ONNX files share; each file's is a class of its own, made by :func:`onnx_supernet`.

    The largest subnet equals the network of the file. Inner channels are sorted by importance.
    """

    preprocessing = (
        "RGB, bilinear resize of the shorter side to ceil(r / 0.875), centre crop r x r, divide by 255, "
        "mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
    )
    network_of: ClassVar[ElasticNetwork]
    file: ClassVar[Path | None] = None

    @classmethod
    def search_space(cls) -> SearchSpace:
        return cls.network_of.space

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        return cls.file

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """The weights of an ONNX file of this network, or of a checkpoint with our names.

        Raises:
            SupernetError: they are of another network.
        """
        if Path(path).suffix != SUFFIX:
            return super().from_checkpoint(path)
        found, name = _read(Path(path)), cls.network_of.name
        if elastic(name.rpartition(".")[0], found.input_shape, found.ops).name != name:
            raise SupernetError(f"checkpoint {path}", f"its network is not {name}", "pass a file of the same network")
        return cls(_tensors(cls.network_of, found), Path(path).name)

    @classmethod
    def described(cls) -> Mapping[str, str]:
        """What a file of weights must tell of the network, to be opened without the ONNX file."""
        network = cls.network_of
        return {"network": network.name, "outline": outlined(network.input_shape, network.ops), "eps": repr(cls.bn_eps)}


def onnx_supernet(path: str | os.PathLike[str]) -> type[OnnxSupernet]:
    """The supernet of an ONNX file.

    Raises:
        SupernetError: it cannot be read; names the node.
    """
    file = Path(path)
    found = _read(file)
    return _family(elastic(file.stem, found.input_shape, found.ops), found.bn_eps, file)


def supernet_of_outline(metadata: Mapping[str, str], origin: str) -> type[OnnxSupernet]:
    """The supernet of a file of weights, by what :meth:`OnnxSupernet.described` told.

    Raises:
        SupernetError: it cannot be read.
    """
    input_shape, ops = of_outline(metadata["outline"], origin)
    return _family(ElasticNetwork(metadata["network"], input_shape, ops), float(metadata["eps"]), None)


@lru_cache(maxsize=16)
def _family(network: ElasticNetwork, eps: float, file: Path | None) -> type[OnnxSupernet]:
    return type("OnnxFile", (OnnxSupernet,), {"network_of": network, "bn_eps": eps, "file": file})


def _read(path: Path) -> ReadNetwork:
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _read_once(path, changed)


@lru_cache(maxsize=1)
def _read_once(path: Path, changed: int) -> ReadNetwork:  # noqa: ARG001 (read again once the file has changed)
    return read_network(path)


def _tensors(network: ElasticNetwork, found: ReadNetwork) -> dict[str, Tensor]:
    tensors = {}
    for slot, positions in zip(network.slots, network.positions, strict=True):
        weights = sorted_weights(slot, [found.weights[i] for i in positions], found.bn_eps)
        for op, own in zip(slot.ops, weights, strict=True):
            tensors |= {f"{slot.name}/{op.name}.{part}": torch.from_numpy(array.copy()) for part, array in own.items()}
    return tensors
