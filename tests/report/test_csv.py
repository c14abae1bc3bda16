"""The Pareto CSV: order, round trip, plain pandas, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError
from hwnas.report import pareto_frame, read_pareto, tidy, write_pareto
from hwnas.space import get_space

SPACE = get_space("ofa_mbv3_w1.0")
finite = st.floats(min_value=1e-3, max_value=99.0)


def front(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    metrics = {
        "params": rng.integers(3_000_000, 9_000_000, n).astype(float),
        "latency_ms": rng.uniform(2, 30, n),
        "top1": rng.uniform(60, 80, n),
        "macs": rng.integers(50_000_000, 900_000_000, n).astype(float),
        "top1_std": np.full(n, 0.1),
    }
    return pareto_frame(SPACE.decode_many(SPACE.sample(n, rng)), metrics)


def test_rows_stand_best_accuracy_first_and_units_in_the_names() -> None:
    frame = front(20)
    assert list(frame.columns) == ["row", "top1", "top1_std", "latency_ms", "macs", "params", "arch"]
    assert frame["row"].tolist() == list(range(1, 21))
    assert frame["top1"].is_monotonic_decreasing
    assert frame["macs"].dtype == np.int64


def test_ties_in_accuracy_are_broken_by_latency_whatever_the_order_given() -> None:
    archs = SPACE.decode_many(SPACE.sample(2, np.random.default_rng(0)))
    metrics = {"top1": np.array([70.0, 70.0]), "latency_ms": np.array([9.0, 8.0])}
    frame = pareto_frame(archs, metrics)
    assert frame["latency_ms"].tolist() == [8.0, 9.0]
    turned = pareto_frame(archs[::-1], {name: v[::-1] for name, v in metrics.items()})
    pd.testing.assert_frame_equal(frame, turned)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=6))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, float]]) -> None:
    path = tmp_path_factory.mktemp("front") / "p.csv"
    archs = SPACE.decode_many(SPACE.sample(len(values), np.random.default_rng(1)))
    frame = pareto_frame(
        archs, {"top1": np.array([a for a, _ in values]), "latency_ms": np.array([b for _, b in values])}
    )
    write_pareto(frame, path)
    pd.testing.assert_frame_equal(read_pareto(path), frame, check_dtype=False)
    first = path.read_bytes()
    write_pareto(read_pareto(path), path)
    assert path.read_bytes() == first


def test_plain_pandas_reads_it(tmp_path: Path) -> None:
    frame = front(5)
    write_pareto(frame, tmp_path / "p.csv")
    plain = pd.read_csv(tmp_path / "p.csv")
    assert plain["top1"].tolist() == frame["top1"].tolist()
    archs = [json.loads(cell) for cell in plain["arch"]]
    assert np.array_equal(SPACE.encode_many(archs), SPACE.encode_many([json.loads(c) for c in frame["arch"]]))


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        ("arch", "{", "not a JSON object"),
        ("arch", "[1]", "not a JSON object"),
        ("top1", "good", "finite number"),
        ("latency_ms", "nan", "finite number"),
        ("row", "2", "occurs twice"),
        ("row", "1.5", "whole numbers"),
        ("row", "", "whole numbers"),
        ("row", "inf", "whole numbers"),
        ("energy_mj", "n/a", "finite number"),
    ],
)
def test_bad_cells_are_refused_with_their_place(tmp_path: Path, column: str, cell: str, rule: str) -> None:
    frame = front(3).assign(energy_mj=1.0).astype(object)
    frame.loc[0, column] = cell
    frame.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match=rule):
        read_pareto(tmp_path / "p.csv", ["energy_mj", "removed"])


def test_small_values_keep_their_digits() -> None:
    energy_j = np.array([3.21098765e-7, 9.87654321e-5, 0.0])
    assert np.allclose(tidy(energy_j), energy_j, rtol=1e-4, atol=0)
    assert tidy(np.array([0.123456789, 1e-9])).tolist() == [0.123457, 0.0]


@pytest.mark.parametrize("dropped", ["row", "arch"])
def test_missing_columns_are_refused(tmp_path: Path, dropped: str) -> None:
    front(3).drop(columns=dropped).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match=dropped):
        read_pareto(tmp_path / "p.csv")


def test_a_csv_without_metrics_is_refused(tmp_path: Path) -> None:
    front(3)[["row", "arch"]].to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match="no column of numbers"):
        read_pareto(tmp_path / "p.csv")


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "p.csv"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_pareto(path)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2000), st.sampled_from(["", "\x00", '"', ",", "\n", "nan", "9" * 400, "\ufeff", "é"]))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, at: int, put: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "p.csv"
    write_pareto(front(4), path)
    text = path.read_text()
    path.write_text(text[: at % len(text)] + put + text[at % len(text) + 3 :])
    with suppress(DataError):
        assert len(read_pareto(path))
