"""A network from an ONNX file as a list of ops with weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.graph.read._file import Graph, open_graph
from hwnas.graph.read._parallel import merge_parallel
from hwnas.graph.read._reading import Reading
from hwnas.graph.read._refused import refuse
from hwnas.graph.read._tidy import Draft, Weights
from hwnas.space.ops import Op, Shape

BN_EPS = 1e-5
"""Epsilon of networks without batch norms."""

AFTER_LOGITS = ("Softmax", "LogSoftmax", "Sigmoid", "Identity", "Cast")
"""Operators that turn logits into probabilities or pass them on; the largest stays the largest."""


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A network from a file.

    Attributes:
        input_shape: ``(channels, height, width)`` of its image.
        ops: from the image to logits; inputs are numbers of values, as in a `LayerSpec`.
        weights: of each op, by part.
        bn_eps: epsilon of all batch norms.
        nodes: names of the nodes from which the ops were read.
    """

    input_shape: Shape
    ops: tuple[Op, ...]
    weights: tuple[Mapping[str, NDArray[np.float32]], ...]
    bn_eps: float
    nodes: tuple[str, ...]


def read_network(path: str | os.PathLike[str]) -> ReadNetwork:
    """Read an ONNX file.

    A softmax or sigmoid at the end is left out, because its inputs are the logits.

    Raises:
        SupernetError: it cannot be read; names the node for which hwnas has no op.
    """
    graph = open_graph(path)
    refuse(graph.nodes, f"supernet {path}")
    at = Reading(graph, f"supernet {path}")
    logits, after = _logits(graph)
    for node in graph.nodes:
        if not after.intersection(node.output):
            at.read(node)
    if logits not in at.values:
        raise SupernetError(f"supernet {path}", f"no node gives its output {logits}", "export it again")
    last = at.number(at.values[logits])
    shape = at.list.shape(last)
    if len(shape) != 1:
        rule = f"its output {graph.output} is {shape}, and logits are one number per class"
        raise SupernetError(f"supernet {path}", rule, "export a classifier")
    eps = _common_eps(at)
    draft = Draft(at.list.ops, at.weights, last)
    draft.fold()
    merge_parallel(draft, eps)
    kept = draft.tidy()
    return ReadNetwork(
        graph.shape,
        tuple(replace(draft.ops[i], name=f"op{n}") for n, i in enumerate(kept)),
        tuple(draft.weights[i] for i in kept),
        eps,
        tuple(at.nodes[i] for i in kept),
    )


def _logits(graph: Graph) -> tuple[str, set[str]]:
    """The name of the logits, and the names of the values that the nodes after them compute."""
    makers = {output: node for node in graph.nodes for output in node.output}
    logits, after = graph.output, set[str]()
    while logits in makers and makers[logits].op_type in AFTER_LOGITS:
        after.add(logits)
        logits = makers[logits].input[0]
    return logits, after


def _common_eps(at: Reading) -> float:
    """The smallest epsilon of the batch norms; the excess of the others is added to their variances."""
    eps = min(at.eps.values(), default=BN_EPS)
    for i, own in at.eps.items():
        weights: Weights = at.weights[i]
        weights["running_var"] = weights["running_var"] + np.float32(own - eps)
    return eps
