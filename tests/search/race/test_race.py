"""Races: who stops, who is shown everything, and that the front is the one that all samples tell."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError, SpaceError
from hwnas.search import Constraint, Errors, Objective, Problem, Race, gaussian_process, hypervolume, non_dominated
from hwnas.space import macs_cost
from hwnas.task import share_errors
from tests.search.race.samples import Audience, made_up
from tests.space.toy import enumerate_rows, toy_space

SPACE = toy_space()
MACS = macs_cost(SPACE)
ROWS = enumerate_rows(SPACE)
N = 300
UNSEEN = 3000


def untold(_: np.ndarray) -> np.ndarray:
    raise AssertionError


def problem(*constraints: Constraint, objectives: int = 2) -> Problem:
    every = [Objective("top1", "%", True, untold), Objective("macs", "", False, MACS)]
    return Problem(SPACE, every[:objectives], constraints, slow=["top1"])


def audience(seed: int, failing: tuple[int, ...] = ()) -> Audience:
    """Larger subnets are better, apart from noise."""
    return Audience(ROWS, margins(seed)[:, :N], failing)


def margins(seed: int) -> np.ndarray:
    """Of all rows, on the samples of a race and on many that nobody sees."""
    rng = np.random.default_rng(seed)
    size = MACS(ROWS).argsort().argsort() / len(ROWS)
    return made_up(rng, 2 * size + rng.normal(0, 0.5, len(ROWS)), N + UNSEEN)


def raced(race: Race, rng: np.random.Generator, batch: int = 10, n: int = 40) -> np.ndarray:
    """Rows in batches; returns them."""
    x = ROWS[rng.permutation(len(ROWS))[:n]]
    for start in range(0, len(x), batch):
        race(x[start : start + batch])
    race.close()
    return x


def front(race: Race) -> np.ndarray:
    """Rows of the front of those that were shown everything."""
    whole = [e for e in race.entrants if e.n_shown == N and e.allowed]
    costs = np.array([[-e.total, *e.others] for e in whole])
    return np.stack([whole[i].row for i in np.flatnonzero(non_dominated(costs, distinct=True))])


def plain_front(x: np.ndarray, heard: Audience) -> set[bytes]:
    costs = np.stack([-heard.top1(x), MACS(x)], axis=1)
    return {row.tobytes() for row in x[non_dominated(costs, distinct=True)]}


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.integers(4, 25))
def test_for_certain_it_finds_the_plain_front(seed: int, batch: int) -> None:
    heard = audience(seed)
    race = Race(problem(), heard, N, tolerance=0)
    x = raced(race, np.random.default_rng(seed), batch)
    found = front(race)
    plain = np.stack([ROWS[heard.place[key]] for key in plain_front(x, heard)])  # of equal rows it may be another one
    assert sorted(zip(heard.top1(found), MACS(found), strict=True)) == sorted(
        zip(heard.top1(plain), MACS(plain), strict=True)
    )
    assert race.values(x).tolist() == heard.top1(x).tolist()
    assert heard.asked.max() == 1


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), tolerance=st.floats(1e-5, 0.1))
def test_who_was_shown_everything_has_its_exact_value_and_nobody_was_shown_anything_twice(
    seed: int, tolerance: float
) -> None:
    heard = audience(seed)
    race = Race(problem(), heard, N, tolerance)
    x = raced(race, np.random.default_rng(seed))
    assert heard.asked.max() == 1
    whole = np.stack([e.row for e in race.entrants if not e.is_out])
    assert all(heard.asked[heard.place[row.tobytes()]].sum() == N for row in whole)
    assert race.values(whole).tolist() == heard.top1(whole).tolist()
    assert all(e.is_out or e.n_shown == N for e in race.entrants)
    assert len(race.entrants) == len(x)
    seen = np.array([heard.asked[heard.place[row.tobytes()]].sum() for row in x])
    assert [e.n_shown for e in race.of(x)] == seen.tolist()


def test_fewer_samples_are_shown_to_a_front_that_is_as_good_by_others() -> None:
    shown, kept = [], []
    for seed in range(3):
        heard, others = audience(seed), Audience(ROWS, margins(seed)[:, N:])
        race = Race(problem(), heard, N)
        x = raced(race, np.random.default_rng(seed), n=80)
        shown.append(heard.asked.sum() / (N * len(x)))
        whole = np.array([not e.is_out for e in race.of(x)])
        raced_front = expected_front(x, race.values(x), race.errors, whole)
        plain = expected_front(x, heard.top1(x), partial(errors_of, heard), np.ones(len(x), dtype=bool))
        ours, theirs = (np.stack([-others.top1(rows), MACS(rows)], axis=1) for rows in (raced_front, plain))
        worst = np.stack([-others.top1(x), MACS(x)], axis=1).max(axis=0).tolist()
        kept.append(hypervolume(ours, worst) / hypervolume(theirs, worst))
    assert np.mean(shown) < 0.45
    assert np.mean(kept) > 0.98


def errors_of(heard: Audience, rows: np.ndarray) -> np.ndarray:
    return share_errors(heard.top1(rows), N)


def expected_front(x: np.ndarray, values: np.ndarray, errors: Errors, whole: np.ndarray) -> np.ndarray:
    """Rows of the front of some, by what all tell to be expected on other samples."""
    expected = gaussian_process(SPACE, errors)(x, values).predict(x[whole])
    return np.asarray(x[whole][non_dominated(np.stack([-expected, MACS(x[whole])], axis=1))])


def test_where_shares_tell_little_not_all_see_everything_that_may_be_as_good() -> None:
    """Many subnets may add the same to the front; one of them does."""
    rng = np.random.default_rng(0)
    alike = Audience(ROWS, made_up(rng, np.zeros(len(ROWS)), N) + rng.normal(0, 2, (len(ROWS), N)))
    race = Race(problem(), alike, N)
    raced(race, np.random.default_rng(0), n=80)
    assert sum(e.n_shown == N for e in race.entrants) < 20


def test_a_cost_that_is_the_same_for_all_spares_as_many_samples() -> None:
    alike = Objective("macs", "", maximise=False, fn=lambda x: np.full(len(x), 1e8))
    race = Race(Problem(SPACE, [problem().objectives[0], alike], slow=["top1"]), audience(0), N)
    raced(race, np.random.default_rng(0), n=60)
    assert sum(e.n_shown for e in race.entrants) < 0.5 * N * 60


def test_the_same_rows_and_answers_give_the_same_race() -> None:
    runs = []
    for _ in range(2):
        heard = audience(3)
        race = Race(problem(), heard, N, seed=5)
        raced(race, np.random.default_rng(1))
        runs.append((heard.calls, [(e.row.tolist(), e.n_shown, e.total, e.std, e.is_out) for e in race.entrants]))
    assert runs[0] == runs[1]


def test_subnets_that_fail_are_on_no_front_and_others_set_the_pace() -> None:
    failing = tuple(range(0, len(ROWS), 3))
    heard = audience(0, failing)
    race = Race(problem(), heard, N)
    x = raced(race, np.random.default_rng(0))
    assert {e.has_failed for e in race.entrants if heard.place[e.row.tobytes()] in failing} == {True}
    assert not any(heard.place[row.tobytes()] in failing for row in front(race))
    assert sum(e.n_shown == N for e in race.of(x[:20])) >= 8


def test_who_breaks_a_known_budget_is_neither_shown_much_nor_ahead_of_others() -> None:
    middle = float(np.median(MACS(ROWS)))
    heard = audience(1)
    race = Race(problem(Constraint("macs", "", MACS, upper=middle)), heard, N)
    x = raced(race, np.random.default_rng(0))
    over = MACS(x) > middle
    shown = [e.n_shown for e, is_over in zip(race.of(x), over, strict=True) if is_over]
    assert {n for n in shown if n < N} == {math.ceil(0.03 * N)}
    assert shown.count(N) <= 12  # of the first, who tell how hard samples are
    found = front(race)
    assert {row.tobytes() for row in found} <= plain_front(x[~over], heard)


def test_one_objective_races_for_the_best() -> None:
    heard = audience(2)
    race = Race(problem(objectives=1), heard, N, tolerance=1e-4)
    x = raced(race, np.random.default_rng(0))
    found = front(race)
    assert heard.top1(found).tolist() == [heard.top1(x).max()]


def test_wrong_values_are_refused() -> None:
    with pytest.raises(DataError, match="150 samples are too few to be shown in shares"):
        Race(problem(), audience(0), 150)
    for tolerance in (-0.1, 1):
        with pytest.raises(SpaceError, match="a share of the hypervolume is at least 0 and below 1"):
            Race(problem(), audience(0), N, tolerance)
    with pytest.raises(SpaceError, match="racing with top1 <="):
        Race(problem(Constraint("top1", "%", untold, upper=90)), audience(0), N)
