"""The networks of NAS-Bench-201 as layers: 3 stages of 5 cells, 16, 32 and 64 channels (Dong and Yang 2020, arXiv:2001.00326)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from hwnas.space import LayerSpec, Network, OpList, SearchSpace
from hwnas.space.families.nasbench201 import EDGES

CHANNELS, CELLS, CLASSES, PIXELS = (16, 32, 64), 5, 10, 32


def cell_network(space: SearchSpace, row: NDArray[Any]) -> Network | None:
    """The network of a cell; None if the cell does not let its input through."""
    operations = dict(zip(EDGES, space.decode(row)["ops"], strict=True))
    stem = OpList((3, PIXELS, PIXELS))
    stem.conv("conv", 0, CHANNELS[0], 3)
    layers = [("stem", stem.layer("stem"))]
    shape = (CHANNELS[0], PIXELS, PIXELS)
    for stage, channels in enumerate(CHANNELS):
        if stage:
            layers.append((f"reduction.{stage}", _reduction(shape, channels)))
            shape = (channels, shape[1] // 2, shape[2] // 2)
        for i in range(CELLS):
            cell = _cell(shape, operations)
            if cell is None:
                return None
            layers.append((f"cell.{stage}.{i}", cell))
    head = OpList(shape)
    x = head.act("relu", head.batch_norm("norm", 0), "relu")
    head.linear("classifier", head.flatten("flatten", head.global_pool("pool", x)), CLASSES)
    return [*layers, ("head", head.layer("head"))]


def _cell(shape: tuple[int, ...], operations: dict[str, Any]) -> LayerSpec | None:
    """Each node is the sum of its incoming edges, or zero without any."""
    ops = OpList(shape)
    nodes: list[int | None] = [0]
    for node in (1, 2, 3):
        total = None
        for before in range(node):
            start, kind = nodes[before], operations[f"{before}>{node}"]
            if start is None or kind == "none":
                continue
            name = f"{before}.{node}"
            if kind == "avgpool":
                value = ops.avg_pool(name, start, 3, 1, pads=(1, 1, 1, 1), ceil=False)
            elif kind == "skip":
                value = start
            else:
                value = ops.conv(name, ops.act(f"{name}.relu", start, "relu"), shape[0], 3 if kind == "conv3x3" else 1)
            total = value if total is None else ops.add(f"{name}.add", total, value)
        nodes.append(total)
    if nodes[3] is None:
        return None
    ops.reshape("out", nodes[3], shape)  # the last op's output is the layer's
    return ops.layer(f"cell-{shape[0]}-{'-'.join(operations.values())}")


def _reduction(shape: tuple[int, ...], channels: int) -> LayerSpec:
    """A residual block of half the resolution."""
    ops = OpList(shape)
    x = ops.conv("a", ops.act("a.relu", 0, "relu"), channels, 3, 2)
    x = ops.conv("b", ops.act("b.relu", x, "relu"), channels, 3)
    short = ops.conv("short", ops.avg_pool("short.pool", 0, 2, 2), channels, bn=False)
    ops.add("add", short, x)
    return ops.layer(f"reduction-{channels}")
