"""Metrics: names, units, directions, bounds, and what plug-ins add."""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from hwnas.errors import DataError, QuantityError
from hwnas.metric import Budget, Metric, check_values, column_of, get_metric, metrics, parse_budget, registered

OF_A_ROW = Metric("mine", "row", "max", label="Mine")
FLOPS_PER_WATT = Metric("efficiency", "flops_per_watt", "max", "FLOP/W", "Efficiency")


@pytest.mark.parametrize(
    ("name", "column", "unit", "maximise"),
    [
        ("top1", "top1", "%", True),
        ("f1", "f1", "", True),
        ("perplexity", "perplexity", "", False),
        ("latency", "latency_ms", "ms", False),
        ("latency@phone", "latency_ms@phone", "ms", False),
        ("latency_ms", "latency_ms", "ms", False),
        ("throughput@cuda:0", "images_per_s@cuda:0", "images/s", True),
        ("memory", "memory_bytes", "B", False),
        ("size", "size_bytes", "B", False),
    ],
)
def test_names_stand_for_columns(name: str, column: str, unit: str, maximise: bool) -> None:
    metric = get_metric(name)
    assert (metric.column, metric.unit, metric.maximise) == (column, unit, maximise)
    assert column_of(name) == column
    assert get_metric(metric.column) == metric


def test_a_column_of_the_users_needs_a_direction() -> None:
    assert get_metric("energy_mj", "min").unit == ""
    assert get_metric("decode_ms", "min").unit == "ms"
    assert get_metric("decode_ms", "min").text(12.345) == "12.35 ms"
    with pytest.raises(DataError, match="write energy_mj:max or energy_mj:min"):
        get_metric("energy_mj")


@pytest.mark.parametrize(
    ("column", "what", "companion"),
    [
        ("top1", "std", "top1_std"),
        ("latency", "measured", "latency_measured_ms"),
        ("latency@phone", "low", "latency_low_ms@phone"),
        ("memory", "high", "memory_high_bytes"),
    ],
)
def test_what_stands_beside_a_metric_keeps_its_unit_last(column: str, what: str, companion: str) -> None:
    assert get_metric(column).companion(what) == companion


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("top1", 76.4051, "76.41 %"),
        ("latency", 0.51234, "0.512 ms"),
        ("macs", 61.04e6, "61.0M"),
        ("memory", 4.1e6, "4.1 MB"),
    ],
)
def test_values_are_printed_with_their_unit_once(name: str, value: float, text: str) -> None:
    assert get_metric(name).text(value) == text


@pytest.mark.parametrize("text", ["latency<=6ms", " latency <= 0.006s", "latency=6ms"])
def test_budgets_are_read_in_their_unit(text: str) -> None:
    assert parse_budget(text) == Budget(get_metric("latency"), upper=6.0)


def test_budgets_hold_at_their_bounds() -> None:
    budget = parse_budget("macs>=1M").within(parse_budget("macs<=3M"))
    assert budget.holds(np.array([0.9e6, 1e6, 2e6, 3e6, 3.1e6])).tolist() == [False, True, True, True, False]
    assert str(budget) == "macs >= 1M MACs and <= 3M MACs"
    assert str(parse_budget("top1>=75")) == "top1 >= 75 %"


@pytest.mark.parametrize("text", ["top1=75", "macs", "<=3", "macs<3M", "macs==3M"])
def test_budgets_that_say_too_little_are_refused(text: str) -> None:
    with pytest.raises(DataError):
        parse_budget(text)
    with pytest.raises(QuantityError):
        parse_budget("latency<=6")


def test_a_misspelt_metric_is_told_which_it_nearly_is() -> None:
    with pytest.raises(DataError, match='did you mean "latency<=5ms"'):
        parse_budget("latncy<=5ms")
    with pytest.raises(DataError, match="write latncy:max or latncy:min, or latency if that is meant"):
        get_metric("latncy")
    assert parse_budget("latncy<=5").metric.column == "latncy"  # it may be a column of the user's


def test_accuracies_as_fractions_are_refused() -> None:
    top1 = get_metric("top1")
    check_values(top1, np.array([0.5, 70.0]), "acc")
    check_values(top1, np.zeros(3), "acc")
    with pytest.raises(DataError, match="multiply it by 100"):
        check_values(top1, np.array([0.5, 0.7]), "acc")
    with pytest.raises(DataError, match=r"row 2, acc 101: top1 lies within 0\.\.100 percent"):
        check_values(top1, np.array([50.0, 101.0]), "acc")
    check_values(get_metric("f1"), np.array([0.5, 0.7]), "f1")  # fractions are as usual there


def _plugged(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(
        "hwnas.metric._registry.entry_points", lambda group: entries if group == "hwnas.metrics" else ()
    )
    metrics.cache_clear()


def test_plug_ins_add_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    _plugged(monkeypatch, EntryPoint("efficiency", f"{__name__}:FLOPS_PER_WATT", "hwnas.metrics"))
    try:
        assert registered("flops_per_watt@phone") == FLOPS_PER_WATT.on("phone")
        assert get_metric("efficiency").maximise
    finally:
        metrics.cache_clear()


@pytest.mark.parametrize(
    ("name", "where", "complaint"),
    [
        ("efficiency", "no.such.module:X", "cannot be loaded"),
        ("other", f"{__name__}:FLOPS_PER_WATT", "is no hwnas.Metric of that name"),
        ("efficiency", f"{__name__}:pytest", "is no hwnas.Metric"),
        ("top1", "hwnas.metric:QUALITY", "is taken"),
        ("mine", f"{__name__}:OF_A_ROW", "its name or column is taken"),
    ],
)
def test_broken_plug_ins_are_one_line(monkeypatch: pytest.MonkeyPatch, name: str, where: str, complaint: str) -> None:
    _plugged(monkeypatch, EntryPoint(name, where, "hwnas.metrics"))
    try:
        with pytest.raises(DataError, match=complaint):
            metrics()
    finally:
        metrics.cache_clear()


def test_directions_are_two() -> None:
    with pytest.raises(DataError, match="max or min"):
        Metric("f1", "f1", "up")  # type: ignore[arg-type]
    assert {m.direction for m in metrics().values()} == {"max", "min"}
    assert all(math.inf >= m.highest > m.lowest for m in metrics().values())
