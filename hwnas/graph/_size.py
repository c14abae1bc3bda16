"""Bytes of a subnet's exported file, as a sum over its layers.

The bytes of weights follow from their shapes and the precision. Those of nodes and names are measured on one written layer of
each make-up. Metadata and constants that all layers share are left out: some kilobytes.
"""

from __future__ import annotations

from math import prod

import numpy as np

from hwnas.graph._build import build_model
from hwnas.graph._packed import packed_bytes
from hwnas.graph._precision import in_precision
from hwnas.graph.ops import PACKED, form_in, initial_shapes, integer_form
from hwnas.space import AdditiveCost, Factor, LayerSpec, Network, OpList, SearchSpace
from hwnas.space.ops import Convert, Op, SharedRow, TiedLinear

_NUMBER = {"fp32": 4, "fp16": 2, "int8": 4, "int4": 4}
"""Bytes of a weight that is not rounded to integers."""

_CHANNEL, _BIAS, _ROW = 4 + 1, 4 + 4 + 4, 4
"""Bytes of an integer channel's scale and zero point, of its bias with scale and zero point, and of a table row's scale."""


def size_cost(space: SearchSpace, precision: str = "fp32") -> AdditiveCost:
    """Bytes of the exported file.

    Args:
        space: with layers.
        precision: of layers that do not choose their own.
    """
    known: dict[object, int] = {}
    factors = []
    for slot in space.slots:
        table = np.full([len(space.genes[c].choices) for c in slot.genes], np.nan)
        for setting, layer in space.slot_layers(slot):
            table[setting] = 0.0 if layer is None else _layer_bytes(slot.name, layer, precision, known)
        factors.append(Factor(slot.genes, table))
    return AdditiveCost(space, factors)


def _layer_bytes(slot: str, layer: LayerSpec, precision: str, known: dict[object, int]) -> int:
    computed = layer.precision or precision
    # Neither names nor nodes depend on the size of images.
    ops = tuple((op.name, op.inputs, tuple(map(len, op.in_shapes)), integer_form(op)) for op in layer.ops)
    make_up = (slot, computed, ops)
    weights = weight_bytes(layer, computed)
    if make_up not in known:
        known[make_up] = _written_bytes(slot, layer, computed) - weights
    return weights + known[make_up]


def weight_bytes(layer: LayerSpec, precision: str = "fp32") -> int:
    """Bytes of a layer's weights in its own precision, or else in ``precision``. Weights of other layers do not count."""
    return sum(_weight_bytes(op, layer.precision or precision) for op in layer.ops)


def _weight_bytes(op: Op, precision: str) -> int:
    form = form_in(op, precision)
    total = 0
    for part, shape in initial_shapes(op).items():
        if form in ("static", "dynamic") and part == "weight":
            total += prod(shape) + _CHANNEL * shape[0]
        elif isinstance(op, SharedRow):
            total += 4 * prod(shape)  # int32 in any precision
        elif form in PACKED and part == "weight":
            total += packed_bytes(shape, PACKED[form])
        elif form == "static":
            total += _BIAS * shape[0]
        elif form == "stored":
            total += prod(shape) + _ROW * shape[0]
        else:
            total += _NUMBER[precision] * prod(shape)
    return total


def _written_bytes(slot: str, layer: LayerSpec, precision: str) -> int:
    """Bytes of the nodes and initializers that are named after the slot, in a model of the layer and its neighbours."""
    if isinstance(layer.ops[0], Convert):
        before, after = OpList(layer.input_shape), OpList(layer.input_shape)
        before.act("act", 0, "tanh")
        after.linear("linear", after.flatten("flatten", 0) if len(layer.input_shape) == 3 else 0, 1)
        network: Network = [
            ("before", before.layer("before").in_precision("fp32")),
            (slot, layer),
            ("after", after.layer("after").in_precision("int8")),
        ]
    else:
        end = OpList(layer.output_shape)
        end.convert("convert", 0, "fp32")
        network = [*_table_of(layer), (slot, layer), ("end", end.layer("end"))]
    graph = in_precision(build_model(network), precision).graph
    named = [*graph.node, *graph.initializer]
    return sum(_field_bytes(each.ByteSize()) for each in named if each.name.startswith(f"{slot}/"))


def _table_of(layer: LayerSpec) -> Network:
    """A layer with the embedding table that a tied head reads; nothing for other layers."""
    tied = next((op for op in layer.ops if isinstance(op, TiedLinear)), None)
    if tied is None:
        return []
    slot, _, name = tied.table.partition("/")
    tokens, channels = layer.input_shape
    ops = OpList(())
    ids = ops.read("ids", (tokens,), "int64", below=tied.entries)
    ops.embedding(name, ids, tied.entries, channels, tied=True)
    table = ops.layer("table")
    return [(slot, table if layer.precision is None else table.in_precision(layer.precision))]


def _field_bytes(size: int) -> int:
    """Bytes of a protobuf message with its tag and its length, a varint of seven bits per byte."""
    return size + 1 + max(1, -(-size.bit_length() // 7))
