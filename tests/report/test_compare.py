"""Comparisons of fronts, against figures worked out by hand and by definition."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from hwnas.errors import DataError
from hwnas.report import NamedFront, compare, comparison_tables, hypervolume, save_comparison
from tests.report.page import facts

ARCH = json.dumps({"d": [2, 2], "r": 224})
Points = Sequence[tuple[float, float]]


def made(name: str, points: Points, known: dict[str, Any] | None = None, **columns: list[float]) -> NamedFront:
    """A front of ``(top1, latency_ms)`` points."""
    frame = pd.DataFrame(points, columns=["top1", "latency_ms"]).assign(**columns, arch=ARCH)
    frame.insert(0, "row", np.arange(1, len(frame) + 1))
    return NamedFront(name, frame, known or {})


A = made("a", [(60.0, 10.0), (70.0, 20.0), (80.0, 40.0)])
B = made("b", [(65.0, 15.0), (70.0, 25.0), (80.0, 40.0)])


def test_two_fronts_by_hand() -> None:
    c = compare([A, B])
    assert c.objectives == ("top1", "latency_ms")
    # 1 % of 60..80 % and of 10..40 ms beyond the worst.
    assert c.reference == pytest.approx((59.8, 40.3))
    by_hand_a = (20 - 10) * 0.2 + (40 - 20) * 10.2 + 0.3 * 20.2
    by_hand_b = (25 - 15) * 5.2 + (40 - 25) * 10.2 + 0.3 * 20.2
    by_hand_union = (15 - 10) * 0.2 + (20 - 15) * 5.2 + (40 - 20) * 10.2 + 0.3 * 20.2
    assert c.hypervolumes == pytest.approx((by_hand_a, by_hand_b))
    assert c.union_hypervolume == pytest.approx(by_hand_union)
    # Only b's (70, 25) is dominated, by a's (70, 20); the shared point dominates nothing.
    assert c.dominated == pytest.approx(np.array([[0, 0], [1 / 3, 0]]))
    assert c.contributed == (3, 2)
    assert c.union == 4
    assert c.lost == pytest.approx((1 - by_hand_b / by_hand_union, 1 - by_hand_a / by_hand_union))
    at = dict(zip(c.budgets, c.attained.T.tolist(), strict=True))
    assert at[20.0] == [70, 65]
    assert at[25.0] == [70, 70]
    assert at[40.0] == [80, 80]


def test_a_front_that_others_dominate_adds_nothing() -> None:
    worse = made("worse", [(59.0, 11.0), (69.0, 21.0)])
    c = compare([A, worse])
    assert c.dominated[1, 0] == 1
    assert c.contributed[1] == 0
    assert c.lost[1] == pytest.approx(0)
    assert c.hypervolumes[0] == pytest.approx(c.union_hypervolume)


values = st.tuples(st.integers(0, 20).map(float), st.integers(1, 20).map(float))


@settings(deadline=None, max_examples=40)
@given(st.lists(values, min_size=1, max_size=8), st.lists(values, min_size=1, max_size=8))
def test_by_definition(a: Points, b: Points) -> None:
    a, b = [(50 + t, ms) for t, ms in a], [(50 + t, ms) for t, ms in b]
    c = compare([made("a", a), made("b", b)])

    def beaten(p: tuple[float, float], by: Points) -> bool:
        return any(q[0] >= p[0] and q[1] <= p[1] and q != p for q in by)

    assert c.dominated[0, 1] == pytest.approx(np.mean([beaten(p, b) for p in a]))
    assert c.dominated[1, 0] == pytest.approx(np.mean([beaten(p, a) for p in b]))
    assert c.union == len({p for p in a + b if not beaten(p, a + b)})
    assert c.hypervolumes[0] == pytest.approx(hypervolume(np.array(a), c.reference, [True, False]))
    assert c.union_hypervolume >= max(c.hypervolumes) - 1e-9
    for budget, (best, _) in zip(c.budgets, c.attained.T, strict=True):
        within = [t for t, ms in a if ms <= budget]
        assert best == max(within) if within else np.isnan(best)


def test_three_objectives_and_three_fronts(tmp_path: Path) -> None:
    fronts = [
        made(n, p, macs=[3e8, 1e8])
        for n, p in (("a", [(60, 10), (70, 20)]), ("b", [(61, 11), (70, 19)]), ("c", [(50, 1), (60, 2)]))
    ]
    c = compare(fronts, ["top1", "latency", "macs"])
    assert c.objectives == ("top1", "latency_ms", "macs")
    assert c.dominated.shape == (3, 3)
    for suffix in ("png", "svg"):
        save_comparison(c, tmp_path / f"p.{suffix}")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_fronts_that_do_not_overlap_still_compare() -> None:
    c = compare([made("fast", [(50.0, 1.0), (55.0, 2.0)]), made("slow", [(80.0, 50.0), (82.0, 60.0)])])
    assert np.isnan(c.attained[1]).any()
    json.dumps(c.to_json(), allow_nan=False)


def test_tables_fit_80_columns() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    for part in comparison_tables(compare([A, B, made("third", [(66.0, 17.0)])])):
        console.print(part)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "reference point top-1 59.80 %, latency 40.30 ms" in text
    assert "of third" in text


def other(**changes: Any) -> dict[str, Any]:
    return {**facts(), **changes}


@pytest.mark.parametrize(
    ("fronts", "said"),
    [
        ([A], "two or more"),
        ([A, NamedFront("b", B.frame.drop(columns="latency_ms"), {})], "b: it has no column latency_ms"),
        (
            [A, NamedFront("b", B.frame.rename(columns={"latency_ms": "latency_us"}), {})],
            "column latency_us.*convert it",
        ),
        ([A, made("b", [(0.6, 10.0), (0.7, 20.0)])], "percent"),
        ([A, NamedFront("b", B.frame.assign(arch='{"op": 1}'), {})], "different spaces"),
        (
            [
                made("a", [(60, 1)], other(space={"name": "s", "fingerprint": "1"})),
                made("b", [(60, 1)], other(space={"name": "t", "fingerprint": "2"})),
            ],
            "spaces: they differ: a is of s, b is of t; pass --anyway",
        ),
        (
            [
                made("a", [(60, 1)], other(space={"name": "s", "fingerprint": "1", "subnets": 584})),
                made("b", [(60, 1)], other(space={"name": "s", "fingerprint": "2", "subnets": 1752})),
            ],
            r"spaces: they differ: a is of s \(subnets: 584\), b is of s \(subnets: 1752\); pass --anyway",
        ),
        (
            [
                made("a", [(60, 1)], other(device={"id": "x", "precision": "fp32"})),
                made("b", [(60, 1)], other(device={"id": "x", "precision": "int8"})),
            ],
            r"devices: they differ: a is of x \(precision: fp32\), b is of x \(precision: int8\)",
        ),
        (
            [made("a", [(60, 1)], other(device={"id": "x"})), made("b", [(60, 1)], other(device={"id": "y"}))],
            "devices: they differ: a is of x, b is of y",
        ),
        (
            [made("a", [(60, 1)], facts()), made("b", [(60, 1)], other(objectives=["top1", "macs"]))],
            "objectives .*; compare what all have: --objectives top1,latency_ms$",
        ),
    ],
)
def test_fronts_that_do_not_compare_are_refused(fronts: list[NamedFront], said: str) -> None:
    with pytest.raises(DataError, match=said):
        compare(fronts)


def test_directions_that_differ_are_refused_until_one_is_said() -> None:
    a, b = (
        made(name, [(60, 1)], {"objectives": ["top1", "latency_ms"], "directions": {"top1": "max", "latency_ms": way}})
        for name, way in (("a", "max"), ("b", "min"))
    )
    for fronts in ([a, b], [b, a]):
        with pytest.raises(DataError, match="fronts of different directions") as refused:
            compare(fronts)
    said = str(refused.value).rpartition("--objectives ")[2]
    assert said == "top1,latency_ms:max"
    assert compare([a, b], said.split(",")).metrics[1].maximise


def test_different_spaces_compare_on_request_and_differences_are_noted() -> None:
    a = made("a", [(60, 1)], other(space={"name": "s", "fingerprint": "1"}))
    b = made("b", [(61, 2)], other(space={"name": "t", "fingerprint": "2"}, predictor={"sha256": "ef"}))
    assert compare([a, b], anyway=True).notes == ("accuracies come from different predictors",)
    assert "no provenance" in compare([A, a]).notes[0]
    with pytest.raises(DataError, match="two"):
        compare([A, B], ["top1"])
