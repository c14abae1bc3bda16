"""What every searcher must do, checked by ask and tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.predictor import new_predictor
from hwnas.search import Constraint, Maker, Objective, Problem, Searcher, SearchOptions, SearchResult
from hwnas.space import AdditiveCost, Population, SearchSpace, get_space, macs_cost
from hwnas.testing._check import Check, refused, require

EVALUATIONS = 48
ALL = 10**5
"""More rows than the space of these checks has."""


class Played:
    """A search of a small space, with made-up accuracies.

    Args:
        make: begins the search.
        sums_only: whether it is an exact searcher, which takes only objectives that are sums over layers, and asks for its
            whole front at once.
    """

    def __init__(self, make: Maker, sums_only: bool) -> None:
        space, macs, budget = _space(), _macs(), _budget()
        self.sums_only = sums_only
        accuracy = Objective("top1", "%", True, _sum() if sums_only else _never)
        objectives = [accuracy, Objective("macs", "MACs", False, macs)]
        slow = [] if sums_only else ["top1"]
        options = SearchOptions(EVALUATIONS, seed=3, population=16, fit=new_predictor("ridge", space).fit)
        self.searcher: Searcher = make(
            Problem(space, objectives, [budget], slow=slow), SearchOptions(ALL) if sums_only else options
        )

    def values(self, x: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
        """The results of evaluations."""
        return {"top1": _sum()(x) if self.sums_only else _accuracy(x)}

    def tell(self, x: NDArray[Any]) -> None:
        """Tell the values of rows, then overwrite the array: a searcher must copy it."""
        values = self.values(x)
        self.searcher.tell(x, values)
        values["top1"][:] = np.nan

    def asked(self, n: int = ALL, order: Callable[[Population], Population] = lambda x: x) -> Population:
        """All rows that the searcher asks for, ``n`` at a time; each lot is told in some order."""
        rows = [_space().no_rows]
        while len(x := self.searcher.ask(n)):
            rows.append(x)
            self.tell(order(x))
        return np.concatenate(rows)


def rows_are_canonical_and_distinct(make: Maker, *, sums_only: bool = False) -> None:
    """Rows are canonical, distinct and of the space, no more than requested, and as many in all as may be evaluated."""
    played, space = Played(make, sums_only), _space()
    seen: set[tuple[int, ...]] = set()
    while len(x := played.searcher.ask(7)):
        require(x.dtype == np.int16 and len(x) <= 7, f"7 rows were asked for, {len(x)} of {x.dtype} came")
        require(space.contains(x).all(), "a row lies outside the space")
        np.testing.assert_array_equal(space.canonical(x), x)
        rows = set(map(tuple, x.tolist()))
        require(len(rows) == len(x) and not seen & rows, "a row came twice")
        seen |= rows
        played.tell(x)
    evaluated = played.searcher.front().evaluations
    require(len(seen) == evaluated, f"{len(seen)} rows were told, the front counts {evaluated}")
    require(sums_only or evaluated == EVALUATIONS, f"{evaluated} of {EVALUATIONS} evaluations were used")


def the_front_is_what_its_definition_says(make: Maker, *, sums_only: bool = False) -> None:
    """The front is every told row that meets the budget and is not dominated, as brute force finds it."""
    played = Played(make, sums_only)
    rows, problem = played.asked(), played.searcher.problem
    values = played.values(rows) | {name: fn(rows) for name, fn in problem.known.items()}
    costs, kept = problem.costs(values), _macs()(rows) <= _budget().upper
    best = {tuple(c) for c in costs[kept].tolist() if not any((o <= c).all() and (o < c).any() for o in costs[kept])}
    found = problem.costs(played.searcher.front().values)
    same = set(map(tuple, found.tolist())) == best and len(found) == len(best)
    require(same, "the front is not that of the told rows")
    require((np.diff(found[:, 0]) >= 0).all(), "the front is not sorted by its first objective")


def order_and_number_make_no_difference(make: Maker, *, sums_only: bool = False) -> None:
    """The front does not depend on how many rows are asked for at once, nor on the order in which they are told."""
    one, other = Played(make, sums_only), Played(make, sums_only)
    rows, singles = one.asked(), other.asked(3, lambda x: x[::-1])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(singles, axis=0))
    _require_same(one.searcher.front(), other.searcher.front())


def it_resumes_where_it_was(make: Maker, *, sums_only: bool = False) -> None:
    """A new searcher that is told the same rows goes on where the old one stopped."""
    whole = Played(make, sums_only)
    rows = whole.asked(5)
    for kept in (0, 1, len(rows) // 2, len(rows)):
        resumed = Played(make, sums_only)
        resumed.tell(rows[:kept])
        left = resumed.asked() if kept < len(rows) else rows[:0]
        again = set(map(tuple, left.tolist())) & set(map(tuple, rows[:kept].tolist()))
        require(
            not again and len(left) == len(rows) - kept, f"after {kept} rows it asked for {len(left)} of {len(rows)}"
        )
        _require_same(whole.searcher.front(), resumed.searcher.front())


def pending_rows_are_not_asked_for_again(make: Maker, *, sums_only: bool = False) -> None:
    """Rows that are pending (asked for, not told yet) are not asked for again."""
    played = Played(make, sums_only)
    searcher = played.searcher
    first, rest = searcher.ask(2), searcher.ask(ALL)
    both = np.concatenate([first, rest])
    require(len(np.unique(both, axis=0)) == len(both), "a pending row was asked for again")
    require(not len(searcher.ask(ALL)), "rows were asked for while all are pending")
    played.tell(rest)  # the rows of the first request are told last
    require(not len(searcher.ask(ALL)), "rows were asked for while the first are pending")
    require(searcher.front().evaluations == len(rest), "pending rows are counted")
    played.tell(first)
    require(searcher.front().evaluations == len(both), "rows told late are not counted")


def rows_from_outside_count(make: Maker, *, sums_only: bool = False) -> None:
    """Rows that were not asked for can be told.

    They can be on the front, keep their first value, are never asked for, and do not count as evaluations.
    """
    played = Played(make, sums_only)
    foreign = _space().sample(10, np.random.default_rng(9))
    played.tell(foreign)
    played.searcher.tell(foreign[:4], {"top1": np.zeros(4)})
    kept = foreign[_macs()(foreign) <= _budget().upper]
    best = played.searcher.front().values["top1"][0]
    require(best == played.values(kept)["top1"].max(), "rows that were not asked for are not on the front")
    asked = played.asked()
    require(sums_only or len(asked) == EVALUATIONS, f"they were counted as evaluations: {len(asked)} were asked for")
    again = set(map(tuple, asked.tolist())) & set(map(tuple, foreign.tolist()))
    require(not again, "a row that was told was asked for")


def senseless_tells_are_refused(make: Maker, *, sums_only: bool = False) -> None:
    """Wrong shapes, rows outside the space, and missing or non-finite values raise SpaceError and change nothing."""
    searcher = Played(make, sums_only).searcher
    x = searcher.ask(4)
    wrong = [
        (x[:, :-1], {"top1": np.zeros(len(x))}, "genes"),
        (x, {"top1": np.zeros(len(x) + 1)}, "one number per row"),
        (np.full_like(x, 99), {"top1": np.zeros(len(x))}, "outside"),
    ]
    if not sums_only:
        wrong += [(x, {}, "top1 is missing"), (x, {"top1": np.full(len(x), np.nan)}, "finite")]
    for rows, values, words in wrong:
        with refused(SpaceError, words):
            searcher.tell(rows, values)
    with refused(InfeasibleError):
        searcher.front()


@cache
def _space() -> SearchSpace:
    return get_space("digits").restrict(r=[8, 16], ks=3)


@cache
def _macs() -> AdditiveCost:
    return macs_cost(_space())


@cache
def _budget() -> Constraint:
    every = _space().every(ALL)
    assert every is not None
    return Constraint("macs", "MACs", _macs(), float(np.quantile(_macs()(every), 0.8)))


@cache
def _sum() -> AdditiveCost:
    """A made-up sum over layers that depends on every choice."""
    return AdditiveCost.from_layers(
        _space(), lambda layer: float(np.log(layer.macs + 2)) + sum(map(ord, layer.key)) % 7
    )


def _accuracy(x: NDArray[Any]) -> NDArray[np.float64]:
    """Made-up accuracies that are not a sum over layers."""
    found: NDArray[np.float64] = 60 + 8 * np.log(_macs()(x) / 2e4)
    found += np.cos(x[:, :7] * np.arange(7)).sum(axis=1)
    return found


def _never(_x: NDArray[Any]) -> NDArray[np.float64]:
    raise AssertionError("a slow metric is told, never called")


def _require_same(one: SearchResult, other: SearchResult) -> None:
    np.testing.assert_array_equal(one.x, other.x)
    a, b = ({name: values.tolist() for name, values in result.values.items()} for result in (one, other))
    require(a == b, "the fronts' values differ")
    c, d = ((result.evaluations, result.searcher, result.seed) for result in (one, other))
    require(c == d, f"the fronts differ: {c} and {d}")


SEARCHER_CHECKS: Sequence[Check] = (
    rows_are_canonical_and_distinct,
    the_front_is_what_its_definition_says,
    order_and_number_make_no_difference,
    it_resumes_where_it_was,
    pending_rows_are_not_asked_for_again,
    rows_from_outside_count,
    senseless_tells_are_refused,
)
"""Checks of a function of a Problem and SearchOptions that begins a search. ``sums_only=True`` for exact searchers."""
