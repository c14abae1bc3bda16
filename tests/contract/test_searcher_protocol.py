"""What every searcher promises to those who ask and tell."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.errors import InfeasibleError, SpaceError, UnknownNameError
from hwnas.predictor import new_predictor
from hwnas.search import SEARCHERS, Constraint, Objective, Problem, SearchOptions, new_searcher, searcher_names
from hwnas.search.expensive import _linas
from hwnas.space import AdditiveCost, get_space, macs_cost
from tests.space.toy import enumerate_rows

SPACE = get_space("digits").restrict(r=[8, 16], ks=3)
MACS = macs_cost(SPACE)
WORTH = AdditiveCost.from_layers(SPACE, lambda layer: float(np.log(layer.macs + 2)) + sum(map(ord, layer.key)) % 7)
BUDGET = Constraint("macs", "MACs", MACS, float(np.quantile(MACS(enumerate_rows(SPACE)), 0.8)))
OPTIONS = SearchOptions(48, seed=3, population=16, fit=new_predictor("ridge", SPACE).fit)


def accuracy(x):
    return 60 + 8 * np.log(MACS(x) / 2e4) + np.cos(x[:, :7] * np.arange(7)).sum(axis=1)


def never(_x):
    raise AssertionError


@pytest.fixture(params=sorted(SEARCHERS))
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """LINAS looks less far ahead: what it promises does not depend on that."""
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)


def begun(name, options=OPTIONS):
    """A search whose accuracies are told from outside; of sums, where the searcher is for sums."""
    if name == "exact":
        objectives = [Objective("top1", "%", True, WORTH), Objective("macs", "MACs", False, MACS)]
        return new_searcher(name, Problem(SPACE, objectives, [BUDGET]), SearchOptions(10**5))
    objectives = [Objective("top1", "%", True, never), Objective("macs", "MACs", False, MACS)]
    return new_searcher(name, Problem(SPACE, objectives, [BUDGET], slow=["top1"]), options)


def told(searcher, x):
    return {"top1": accuracy(x) if searcher.problem.slow else WORTH(x)}


def asked_of(searcher, n, order=lambda x: x):
    """All rows a searcher asks for, n at a time, told in some order."""
    rows = []
    while len(x := searcher.ask(n)):
        rows.append(x)
        x = order(x)
        searcher.tell(x, told(searcher, x))
    return np.concatenate(rows)


def same(a, b):
    np.testing.assert_array_equal(a.x, b.x)
    assert {n: v.tolist() for n, v in a.values.items()} == {n: v.tolist() for n, v in b.values.items()}
    assert (a.evaluations, a.searcher, a.seed) == (b.evaluations, b.searcher, b.seed)


def test_rows_are_canonical_distinct_and_no_more_than_were_asked_for(name):
    searcher = begun(name)
    seen: set[tuple[int, ...]] = set()
    while len(x := searcher.ask(7)):
        assert x.dtype == np.int16
        assert len(x) <= 7
        assert SPACE.contains(x).all()
        np.testing.assert_array_equal(SPACE.canonical(x), x)
        assert not seen & set(map(tuple, x.tolist()))
        seen |= set(map(tuple, x.tolist()))
        searcher.tell(x, told(searcher, x))
    assert len(seen) == searcher.front().evaluations <= searcher.options.evaluations
    assert name == "exact" or len(seen) == 48


def test_the_front_is_what_its_definition_says(name):
    searcher = begun(name)
    rows = asked_of(searcher, 1000)
    front = searcher.front()
    problem = searcher.problem
    values = told(searcher, rows) | {n: fn(rows) for n, fn in problem.known.items()}
    costs, kept = problem.costs(values), MACS(rows) <= BUDGET.upper
    best = {tuple(c) for c in costs[kept].tolist() if not any((o <= c).all() and (o < c).any() for o in costs[kept])}
    found = problem.costs(front.values)
    assert set(map(tuple, found.tolist())) == best
    assert len(found) == len(best)
    assert (np.diff(found[:, 0]) >= 0).all()


def test_how_many_are_asked_for_and_in_which_order_they_are_told_makes_no_difference(name):
    one, other = begun(name), begun(name)
    rows = asked_of(one, 1000)
    singles = asked_of(other, 3, lambda x: x[::-1])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(singles, axis=0))
    same(one.front(), other.front())


def test_it_resumes_where_it_was_when_it_is_told_the_same_again(name):
    whole = begun(name)
    rows = asked_of(whole, 5)
    for kept in (0, 1, len(rows) // 2, len(rows)):
        resumed = begun(name)
        resumed.tell(rows[:kept], told(resumed, rows[:kept]))
        left = asked_of(resumed, 1000) if kept < len(rows) else rows[:0]
        assert not set(map(tuple, left.tolist())) & set(map(tuple, rows[:kept].tolist()))
        assert len(left) == len(rows) - kept
        same(whole.front(), resumed.front())


def test_nothing_is_asked_for_twice_while_it_is_pending(name):
    searcher = begun(name)
    first = searcher.ask(2)
    rest = searcher.ask(1000)
    both = np.concatenate([first, rest])
    assert len(np.unique(both, axis=0)) == len(both)
    assert not len(searcher.ask(1000))
    searcher.tell(rest, told(searcher, rest))  # what was asked for first is told last
    assert not len(searcher.ask(1000))
    assert searcher.front().evaluations == len(rest)
    searcher.tell(first, told(searcher, first))
    assert searcher.front().evaluations == len(both)


def test_rows_from_outside_count_and_are_never_asked_for(name):
    searcher = begun(name)
    foreign = SPACE.sample(10, np.random.default_rng(9))
    searcher.tell(foreign, told(searcher, foreign))
    searcher.tell(foreign[:4], {"top1": np.zeros(4)})  # the first telling counts
    kept = foreign[MACS(foreign) <= BUDGET.upper]
    assert searcher.front().values["top1"][0] == told(searcher, kept)["top1"].max()
    asked = asked_of(searcher, 1000)
    if name != "exact":  # it asks for the front, of which it may have been told some
        assert len(asked) == 48
    assert not set(map(tuple, asked.tolist())) & set(map(tuple, foreign.tolist()))


def test_a_tell_that_makes_no_sense_is_refused_and_changes_nothing(name):
    searcher = begun(name)
    x = searcher.ask(4)
    wrong = [
        (x[:, :-1], {"top1": np.zeros(len(x))}, "genes"),
        (x, {"top1": np.zeros(len(x) + 1)}, "one number per row"),
        (np.full_like(x, 99), {"top1": np.zeros(len(x))}, "outside"),
    ]
    if searcher.problem.slow:
        wrong += [(x, {}, "top1 is missing"), (x, {"top1": np.full(len(x), np.nan)}, "finite")]
    for rows, values, message in wrong:
        with pytest.raises(SpaceError, match=message):
            searcher.tell(rows, values)
    with pytest.raises(InfeasibleError):
        searcher.front()


def test_a_searcher_of_a_package_is_found_by_name(monkeypatch):
    class Point:
        name, value = "mine", "package:make"

        @staticmethod
        def load():
            return SEARCHERS["random"]

    class Points(list[Point]):
        names = ("mine",)

    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: Points([Point()]))
    assert searcher_names()[-1] == "mine"
    assert len(begun("mine").ask(5)) == 5
    with pytest.raises(UnknownNameError, match="searcher 'theirs'"):
        begun("theirs")
    monkeypatch.setattr(Point, "load", staticmethod(never_loads))
    with pytest.raises(SpaceError, match="package:make does not load"):
        begun("mine")


def never_loads():
    raise ImportError("torch")
