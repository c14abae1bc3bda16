"""Pools in ONNX files: windows, padding, and means over the whole map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.space.ops import (
    AvgPool,
    MaxPool,
    PaddedAvgPool,
    Pool,
)
from tests.graph.files import AROUND, END, POOL, same, written


def test_maxima_over_the_map(tmp_path: Path) -> None:
    for body in ("p = GlobalMaxPool(x) y = Flatten(p)", "y = ReduceMax<axes = [2, 3], keepdims = 0>(x)"):
        network = same(written(tmp_path / "x.onnx", body))
        assert [type(op).__name__ for op in network.ops] == ["GlobalMaxPool", "Flatten"]


MEANS = (
    "w = ReduceMean<axes = [3], keepdims = 0>(x) y = ReduceMean<axes = [2], keepdims = 0>(w)",
    "w = ReduceMean<axes = [2], keepdims = 0>(x) y = ReduceMean<axes = [-1], keepdims = 0>(w)",
    "w = ReduceMean<axes = [-1]>(x) p = ReduceMean<axes = [-2]>(w) y = Flatten(p)",
    "r = Reshape(x, rows) y = ReduceMean<axes = [2], keepdims = 0>(r)",
    "r = Reshape(x, rows) p = ReduceMean<axes = [2]>(r) y = Squeeze(p, two)",
    "p = GlobalAveragePool(x) c = Gather<axis = 3>(p, zero) y = Gather<axis = 2>(c, zero)",
)


@pytest.mark.parametrize("body", MEANS)
def test_means_over_the_map_in_several_steps(body: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"rows": np.array([0, 4, -1]), "two": np.array([2]), "zero": np.array(0)}
    network = same(written(tmp_path / "x.onnx", body, inputs="float[N,4,8,9] x", **arrays))
    assert [type(op).__name__ for op in network.ops] == ["GlobalPool", "Flatten"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MaxPool, f"r = Relu(x) a = Pad(r, pads) h = {POOL.format('MaxPool', '')}(a)"),
        (MaxPool, f"a = Pad(x, pads, least) h = {POOL.format('MaxPool', '')}(a)"),
        (PaddedAvgPool, f"a = Pad(x, pads) h = {POOL.format('AveragePool', '')}(a)"),
        (PaddedAvgPool, f"h = {POOL.format('AveragePool', AROUND + ', count_include_pad = 1')}(x)"),
        (PaddedAvgPool, f"h = {POOL.format('AveragePool', AROUND + ', count_include_pad = 1, ceil_mode = 1')}(x)"),
        (AvgPool, f"h = {POOL.format('AveragePool', AROUND)}(x)"),
    ],
)
def test_padding_joins_pools(kind: type[Pool], body: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "least": -np.inf}
    network = same(written(tmp_path / "x.onnx", f"{body} {END}", inputs="float[N,4,9,7] x", **arrays))
    pools = [op for op in network.ops if isinstance(op, Pool)]
    assert [(type(op), op.pads) for op in pools] == [(kind, (1, 1, 1, 1))]
