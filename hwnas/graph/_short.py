"""Networks for timing, with short embedding tables.

A run reads one row per id, and back-to-back runs read the same rows, so the rest of a table is never touched. But drawing,
writing and loading it takes time: a vocabulary of 30,000 tokens is half of a MiniLM, and most of its small subnets.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from hwnas.space import LayerSpec, Network, Op
from hwnas.space.ops import Embedding, Read, SharedRow, TiedLinear

PER_ID, LEAST = 8, 1024
"""Rows that are kept per id of a run, so that few ids share a row, and the smallest number of rows."""


def short_tables(network: Network, batch: int = 1) -> Network:
    """The same network with only as many rows in its embedding tables as the random ids of a run need.

    Args:
        network: ``(slot, layer)`` in order.
        batch: samples per run.
    """
    if any(isinstance(op, TiedLinear) for _, layer in network for op in layer.ops):
        return network  # the logits read the whole table
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
