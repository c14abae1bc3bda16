"""What every searcher must do, by ask and tell."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import pytest

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.search import (
    SEARCHERS,
    Maker,
    Objective,
    Problem,
    Searcher,
    SearchOptions,
    Stepwise,
    drive,
    new_searcher,
    searcher_names,
)
from hwnas.search._plugged_in import PluggedIn
from hwnas.search.expensive import _linas
from hwnas.space import get_space, macs_cost
from hwnas.testing import SEARCHER_CHECKS, Check


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter search on predictions in LINAS: the contract does not depend on its length."""
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)


@pytest.mark.parametrize("check", SEARCHER_CHECKS)
@pytest.mark.parametrize("name", sorted(SEARCHERS))
def test_it_keeps_the_contract(check: Check, name: str) -> None:
    check(partial(new_searcher, name), sums_only=name == "exact")


def begun(name: str) -> Searcher:
    space = get_space("digits")
    return new_searcher(name, Problem(space, [Objective("macs", "MACs", False, macs_cost(space))]), SearchOptions(48))


def test_a_searcher_of_a_package_is_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "mine", "package:make"

        @staticmethod
        def load():
            return SEARCHERS["random"]

    class Points(list[Point]):
        names = ("mine",)

    def points(name: str = "mine", **_: str) -> Points:
        return Points([Point()] if name == "mine" else [])

    monkeypatch.setattr("hwnas.plugin.entry_points", points)
    monkeypatch.setattr("hwnas.search._registry.entry_points", points)
    assert searcher_names()[-1] == "mine"
    assert len(begun("mine").ask(5)) == 5
    with pytest.raises(UnknownNameError, match="searcher 'theirs'"):
        begun("theirs")
    monkeypatch.setattr(Point, "load", staticmethod(never_loads))
    with pytest.raises(SpaceError, match="package:make cannot be loaded"):
        begun("mine")
    for made, rule in (
        (5, "it is int, no function of a Problem and SearchOptions"),
        (lambda *_: None, "its function returns NoneType, which has no ask; return a hwnas.search.Stepwise"),
        (lambda _: None, r"making it fails \(TypeError: "),
    ):
        monkeypatch.setattr(Point, "load", staticmethod(lambda made=made: made))
        with pytest.raises(SpaceError, match=f"searcher 'mine': {rule}"):
            begun("mine")


class _AsksOnce:
    """A searcher whose other methods fail."""

    def __init__(self, problem: Problem, options: SearchOptions) -> None:
        self.problem, self.options = problem, options

    def ask(self, _: int) -> Any:
        return self.problem.space.sample(4, np.random.default_rng(0))

    def tell(self, *_: Any) -> None:
        raise KeyError("arch")

    def front(self) -> None:
        raise ZeroDivisionError


def test_what_a_searcher_of_a_package_raises_is_one_line() -> None:
    space = get_space("digits")
    problem = Problem(space, [Objective("macs", "MACs", False, macs_cost(space))])

    def steps(*_: Any) -> Any:
        yield space.sample(4, np.random.default_rng(0))
        raise ValueError("no more")

    def make(problem: Problem, options: SearchOptions) -> Stepwise:
        return Stepwise("mine", problem, options, steps)

    searcher = PluggedIn("mine", make, problem, SearchOptions(48))
    with pytest.raises(
        SpaceError, match=r"searcher 'mine': ask\(\) fails \(ValueError: no more\); correct the plug-in"
    ):
        drive(searcher, problem.evaluate)
    assert searcher.front().evaluations == 4
    searcher = PluggedIn("mine", cast("Maker", _AsksOnce), problem, SearchOptions(48))
    with pytest.raises(SpaceError, match=r"searcher 'mine': tell\(\) fails \(KeyError: 'arch'\)"):
        drive(searcher, problem.evaluate)
    with pytest.raises(SpaceError, match=r"searcher 'mine': front\(\) fails \(ZeroDivisionError: \)"):
        searcher.front()


@pytest.mark.parametrize("rows", [None, [0, 1], [[0.5] * 18], [[99] * 18]])
def test_steps_that_yield_no_rows_of_the_space_are_refused(rows: Any) -> None:
    space = get_space("digits")
    problem = Problem(space, [Objective("macs", "MACs", False, macs_cost(space))])
    with pytest.raises(SpaceError, match=r"digits has (18 integer genes|choices 0 to)"):
        _stepwise(problem, lambda *_: (row for row in [rows])).ask(1)
    with pytest.raises(SpaceError, match="searcher mine: its steps are NoneType, no generator"):
        _stepwise(problem, lambda *_: None)


def _stepwise(problem: Problem, steps: Any) -> Stepwise:
    return Stepwise("mine", problem, SearchOptions(48), steps)


def never_loads() -> None:
    raise ImportError("torch")
