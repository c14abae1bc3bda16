"""The elastic network of an ONNX file, or of an outline that is stored with trained weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from hwnas.errors import SupernetError
from hwnas.graph.read import ReadNetwork, read_network
from hwnas.supernet._header import OUTLINE
from hwnas.supernet.onnx._elastic import ElasticNetwork, elastic
from hwnas.supernet.onnx._outline import of_outline, outlined

NAME, EPS = "network", "bn_eps"
"""Metadata keys beside the outline: the name of the space, and the epsilon of batch norms."""


def read_file(path: str | os.PathLike[str]) -> ReadNetwork:
    """The network of a file, read once until the file changes.

    Raises:
        SupernetError: it cannot be read; names the node.
    """
    file = Path(path)
    return _read(file, file.resolve(), file.stat().st_mtime_ns if file.is_file() else 0)


@lru_cache(maxsize=1)
def _read(file: Path, resolved: Path, changed_ns: int) -> ReadNetwork:  # noqa: ARG001 (keys of the cache)
    return read_network(file)


def elastic_file(path: str | os.PathLike[str]) -> ElasticNetwork:
    """The elastic network of an ONNX file, whose space has the file's name.

    Raises:
        SupernetError: it cannot be read (names the node), or no part of it can be smaller.
    """
    network = _elastic(Path(path).stem, read_file(path))
    if not network.space.genes:
        rule = "no part of it can be smaller: no blocks repeat, no block has inner channels, and its head fixes the image size"
        raise SupernetError(f"supernet {path}", rule, "pass a deeper network")
    return network


@lru_cache(maxsize=4)
def _elastic(name: str, found: ReadNetwork) -> ElasticNetwork:
    return elastic(name, found.input_shape, found.ops)


def outline_of(network: ElasticNetwork, eps: float) -> dict[str, str]:
    """The metadata with which a weight file opens without the ONNX file."""
    return {NAME: network.name, OUTLINE: outlined(network.input_shape, network.ops), EPS: repr(eps)}


def outlined_network(metadata: Mapping[str, str], origin: str) -> ElasticNetwork:
    """The elastic network of metadata that :func:`outline_of` made.

    Raises:
        SupernetError: the outline cannot be read.
    """
    return _outlined(metadata[NAME], metadata[OUTLINE], origin)


@lru_cache(maxsize=4)
def _outlined(name: str, outline: str, origin: str) -> ElasticNetwork:
    input_shape, ops = of_outline(outline, origin)
    return ElasticNetwork(name, input_shape, ops)
