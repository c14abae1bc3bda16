"""Networks for timing, with short tables of embeddings.

A run reads as many rows of a table as there are ids, and back-to-back runs read the same ones: the rest is never touched.
But a vocabulary of 30,000 words is half of a MiniLM, and most of its small subnets, to draw, to write and to load.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from hwnas.space import LayerSpec, Network, Op
from hwnas.space.ops import Embedding, Read, SharedRow, TiedLinear

PER_ID, LEAST = 8, 1024
"""Rows that are left for each id of a run, so that few ids share one, and at least."""


def short_tables(network: Network, batch: int = 1) -> Network:
    """The same network, whose embedding tables have only the rows that the random ids of a run may name; most networks
    have no embeddings.

    Args:
        network: ``(slot, layer)`` in order.
        batch: samples per run.
    """
    if any(isinstance(op, TiedLinear) for _, layer in network for op in layer.ops):
        return network  # a run reads all of the table
    ids = [prod(op.in_shape) for _, layer in network for op in layer.ops if isinstance(op, Embedding)]
    if not ids:
        return network
    rows = max(LEAST, PER_ID * batch * max(ids))
    return [
        (slot, LayerSpec(layer.key, layer.input_shape, tuple(_short(op, rows) for op in layer.ops)))
        for slot, layer in network
    ]


def _short(op: Op, rows: int) -> Op:
    if isinstance(op, Embedding) and op.entries > rows:
        return replace(op, entries=rows)
    if isinstance(op, SharedRow) and op.entries > rows:
        return replace(op, entries=rows, rows=min(op.rows, rows))
    if isinstance(op, Read) and op.spec.below is not None and op.spec.below > rows:
        return replace(op, spec=replace(op.spec, below=rows))
    return op
