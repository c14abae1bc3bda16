"""Names, budgets and devices as users type them."""

from __future__ import annotations

import pytest

from hwnas.cli._asked import Asked, check_names, column_of, parse_bounds, parse_budgets, parse_objectives, unit_of
from hwnas.errors import DataError, HwnasError, QuantityError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "column", "unit"),
    [
        ("latency", "latency_ms", "ms"),
        ("latency@phone", "latency_ms@phone", "ms"),
        ("latency_ms", "latency_ms", "ms"),
        ("throughput@cuda:0", "images_per_s@cuda:0", "images/s"),
        ("memory", "memory_bytes", "B"),
        ("energy_mj", "energy_mj", ""),
        ("decode_ms", "decode_ms", "ms"),
    ],
)
def test_names_stand_for_columns(name: str, column: str, unit: str) -> None:
    assert column_of(name) == column
    assert unit_of(column) == unit


def test_bounds_are_of_the_main_device_or_of_a_named_one() -> None:
    bounds = parse_bounds(["20ms", "phone=0.035s", "a=b/table=1ms"], ["phone=50/s"])
    assert bounds.ms == {None: 20.0, "phone": 35.0, "a=b/table": 1.0}
    assert bounds.per_s == {"phone": 50.0}
    assert bounds.devices == [None, "phone", "a=b/table"]


@pytest.mark.parametrize("latency", [["20"], ["phone=20"], ["phone="], ["20MB"]])
def test_bounds_need_their_unit(latency: list[str]) -> None:
    with pytest.raises(QuantityError, match="--latency"):
        parse_bounds(latency, [])


@pytest.mark.parametrize("latency", [["1ms", "2ms"], ["phone=1ms", "phone=2ms"], ["=3ms"]])
def test_one_budget_per_device(latency: list[str]) -> None:
    with pytest.raises(DataError, match=r"two budgets|DEVICE=BUDGET"):
        parse_bounds(latency, [])


def test_budgets_are_read_in_the_unit_of_their_column() -> None:
    budget = ["energy_mj=5", "decode_ms=0.02s", "kv_bytes=1MB"]
    budgets = parse_budgets(Asked("digits", macs="300M", memory="2MB", budget=budget))
    assert budgets == {"macs": 3e8, "memory_bytes": 2e6, "energy_mj": 5.0, "decode_ms": 20.0, "kv_bytes": 1e6}


@pytest.mark.parametrize(
    ("budget", "complaint"),
    [
        ("energy_mj", "it reads COLUMN=VALUE"),
        ("energy_mj=much", "this is not a number"),
        ("energy_mj=inf", "this is not a number"),
        ("macs=300", "write 300M"),
        ("params=3M", "two budgets"),
        ("latency=3ms", "write --latency 3ms"),
        ("latency@phone=3ms", "write --latency phone=3ms"),
        ("top1=76", "more of this is better; make it an objective"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(budget: str, complaint: str) -> None:
    with pytest.raises(HwnasError, match=complaint):
        parse_budgets(Asked("digits", params="5M", budget=[budget]))


def test_objectives_may_rename_columns_of_files() -> None:
    found = parse_objectives(" top1=valid_200ep, latency=raspi4,macs")
    assert found.columns == ("top1", "latency_ms", "macs")
    assert found.renamed == {"valid_200ep": "top1", "raspi4": "latency_ms"}
    for text in ("", " , ", "top1,top1", "latency,latency_ms"):
        with pytest.raises(DataError, match="each objective once"):
            parse_objectives(text)


def test_unknown_metrics_suggest_the_nearest() -> None:
    check_names("objective", ["top1", "latency_ms@phone", "energy_mj"], ["energy_mj"], layers=True)
    with pytest.raises(UnknownNameError, match="did you mean 'macs'"):
        check_names("objective", ["mac"], [], layers=True)
    with pytest.raises(UnknownNameError, match="known: score"):
        check_names("objective", ["macs"], ["score"], layers=False)
    with pytest.raises(UnknownNameError, match="no such"):
        check_names("objective", ["macs@phone"], [], layers=True)
