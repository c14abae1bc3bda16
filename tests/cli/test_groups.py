"""Names, budgets and devices as users type them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hwnas.cli._groups import ProblemOptions
from hwnas.errors import DataError, HwnasError, QuantityError, UnknownNameError
from hwnas.study import Budgets, parse_objectives
from hwnas.study._objectives import check_names


def asked(**options: Any) -> Budgets:
    return ProblemOptions(**options).request().budgets


def test_bounds_are_of_the_main_device_or_of_a_named_one() -> None:
    bounds = asked(latency=["20ms", "phone=0.035s", "a=b/table=1ms"], throughput=["phone=50/s"])
    uppers = {"latency_ms": 20.0, "latency_ms@phone": 35.0, "latency_ms@a=b/table": 1.0, "images_per_s@phone": math.inf}
    assert {column: bound.upper for column, bound in bounds.timed.items()} == uppers
    assert bounds.timed["images_per_s@phone"].lower == 50.0
    assert bounds.devices == ["", "phone", "a=b/table"]


@pytest.mark.parametrize("latency", [["20"], ["phone=20"], ["phone="], ["20MB"]])
def test_bounds_need_their_unit(latency: list[str]) -> None:
    with pytest.raises(QuantityError, match="--latency"):
        asked(latency=latency)


@pytest.mark.parametrize("latency", [["1ms", "2ms"], ["phone=1ms", "phone=2ms"], ["=3ms"]])
def test_one_budget_per_device(latency: list[str]) -> None:
    with pytest.raises(DataError, match=r"two budgets|no device stands before"):
        asked(latency=latency)


def test_budgets_are_read_in_the_unit_of_their_column() -> None:
    budget = ["energy_mj=5", "decode_ms=0.02s", "kv_bytes<=1MB"]
    budgets = asked(macs="300M", memory="2MB", budget=budget).others
    uppers = {name: budget.upper for name, budget in budgets.items()}
    assert uppers == {"macs": 3e8, "memory_bytes": 2e6, "energy_mj": 5.0, "decode_ms": 20.0, "kv_bytes": 1e6}
    assert all(budget.lower == -math.inf for budget in budgets.values())


def test_budgets_bound_both_ways() -> None:
    budgets = asked(budget=["top1>=75", "macs>=10M", "macs<=30M", "energy_mj >= 0.5"]).others
    bounds = {name: (budget.lower, budget.upper) for name, budget in budgets.items()}
    assert bounds == {"top1": (75, math.inf), "macs": (1e7, 3e7), "energy_mj": (0.5, math.inf)}
    bounds_of_devices = asked(latency=["6ms"], budget=["latency@phone<=20ms", "throughput>=50/s", "macs<=1M"])
    timed = {column: (bound.lower, bound.upper) for column, bound in bounds_of_devices.timed.items()}
    below_ms = {"latency_ms": (-math.inf, 6.0), "latency_ms@phone": (-math.inf, 20.0)}
    assert timed == {**below_ms, "images_per_s": (50.0, math.inf)}
    for wrong in ("latency>=3ms", "throughput<=3/s"):
        with pytest.raises(DataError, match="write it with"):
            asked(budget=[wrong])
    with pytest.raises(DataError, match="two budgets"):
        asked(latency=["6ms"], budget=["latency=5ms"])


@pytest.mark.parametrize(
    ("budget", "complaint"),
    [
        ("energy_mj", "it reads COLUMN<=VALUE"),
        ("energy_mj<5", 'write "energy_mj<=5"'),
        ("energy_mj=much", "this is not a number"),
        ("energy_mj=inf", "this is not a number"),
        ("macs=300", "write macs=300M"),
        ("macs=1,500k", r"write macs=1500k or macs=1\.500k$"),
        ("params=3M", "two budgets"),
        ("top1=76", 'more of this is better; write "top1>=76"'),
    ],
)
def test_budgets_that_make_no_sense_are_refused(budget: str, complaint: str) -> None:
    with pytest.raises(HwnasError, match=complaint):
        asked(params="5M", budget=[budget])


def test_objectives_may_rename_columns_of_files() -> None:
    found = parse_objectives(" top1=valid_200ep, latency=raspi4,macs")
    assert found.columns == ("top1", "latency_ms", "macs")
    assert found.renamed == {"valid_200ep": "top1", "raspi4": "latency_ms"}
    for text in ("top1,top1", "latency,latency_ms"):
        with pytest.raises(DataError, match="each objective once"):
            parse_objectives(text)
    for text in ("", " , "):
        with pytest.raises(DataError, match="it names nothing"):
            parse_objectives(text)


def test_objectives_of_the_users_own_say_their_direction() -> None:
    found = parse_objectives("f1_macro:max=val_f1, energy_mj:min,latency@cuda:0,score")
    assert found.columns == ("f1_macro", "energy_mj", "latency_ms@cuda:0", "score")
    assert found.renamed == {"val_f1": "f1_macro"}
    assert [found.metric(name).direction for name in found.columns] == ["max", "min", "min", "max"]
    with pytest.raises(DataError, match="write f1_macro:max or f1_macro:min"):
        parse_objectives("f1_macro,latency").metric("f1_macro")
    with pytest.raises(DataError, match="its direction is max or min"):
        parse_objectives("f1_macro:up,latency")


def test_unknown_metrics_suggest_the_nearest() -> None:
    check_names("objective", ["top1", "latency_ms@phone", "energy_mj"], ["energy_mj"], layers=True)
    with pytest.raises(UnknownNameError, match="did you mean 'macs'"):
        check_names("objective", ["mac"], [], layers=True)
    with pytest.raises(UnknownNameError, match="known: score"):
        check_names("objective", ["macs"], ["score"], layers=False)
    with pytest.raises(UnknownNameError, match="no such"):
        check_names("objective", ["macs@phone"], [], layers=True)
