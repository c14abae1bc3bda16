"""Searches without batches: nobody waits, nothing is evaluated twice, and the front is that of what was evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.executor import Done, Executor
from hwnas.search import SearchOptions, SearchProgress, drive_freely, new_searcher, non_dominated
from hwnas.search.expensive import _linas
from hwnas.space import get_space
from tests.search.expensive.test_linas import fit_of, problem_of

SPACE = get_space("ofa_mbv3_w1.0").restrict(r=224)
WORKERS, EVALUATIONS = 12, 70


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)


class Uneven(Executor):
    """Some workers take much longer than others; counts those that have nothing to do while rows are left to ask for."""

    workers = WORKERS

    def __init__(self, top1, seed):
        self.top1, self.rng = top1, np.random.default_rng(seed)
        self.running, self.begun, self.idle = {}, 0, 0

    def start(self, key, item):
        self.running[key] = item, self.rng.lognormal(0, 1)
        self.begun += 1

    def wait(self):
        if self.begun < EVALUATIONS:
            self.idle += self.workers - len(self.running)
        key = min(self.running, key=lambda key: self.running[key][1])
        item, took = self.running.pop(key)
        self.running = {k: (x, left - took) for k, (x, left) in self.running.items()}
        return [(key, Done(float(self.top1(item[None])[0])))]

    def close(self):
        self.running = {}


@pytest.mark.parametrize("name", ["linas", "random"])
def test_no_worker_waits_for_another(name):
    problem, slow = problem_of(SPACE)
    executor, evaluated = Uneven(slow, 3), []

    def evaluate(rows):
        for _, row, outcome in executor.as_finished(rows):
            evaluated.append(row)
            assert isinstance(outcome, Done)
            yield row, outcome.value

    told: list[SearchProgress] = []
    options = SearchOptions(EVALUATIONS, 5, fit=fit_of(SPACE), at_once=WORKERS)
    found = drive_freely(new_searcher(name, problem, options), evaluate, told.append)
    assert executor.idle == 0
    assert found.evaluations == len(evaluated) == EVALUATIONS == told[-1].evaluations
    x = np.unique(np.array(evaluated), axis=0)
    assert len(x) == EVALUATIONS
    front = x[non_dominated(problem.costs(problem.evaluate(x)))]
    np.testing.assert_array_equal(np.unique(found.x, axis=0), np.unique(front, axis=0))


def test_what_is_pending_is_believed_and_not_asked_for_again():
    problem, slow = problem_of(SPACE)
    searcher = new_searcher("linas", problem, SearchOptions(200, 1, fit=fit_of(SPACE), at_once=WORKERS))
    first = searcher.ask(1000)
    searcher.tell(first[:20], {"top1": slow(first[:20])})
    asked = np.concatenate([first, *(searcher.ask(7) for _ in range(8))])  # nothing is told meanwhile
    assert len(np.unique(asked, axis=0)) == len(asked) == len(first) + 8 * _linas.BATCH_FREELY
    searcher.tell(asked[::-1], {"top1": slow(asked[::-1])})  # some for the second time
    assert searcher.front().evaluations == len(asked)


def test_a_search_that_was_interrupted_goes_on_from_what_it_is_told():
    problem, slow = problem_of(SPACE)
    known = SPACE.sample(30, np.random.default_rng(0))
    searcher = new_searcher("linas", problem, SearchOptions(40, 1, fit=fit_of(SPACE), at_once=WORKERS))
    searcher.tell(known, {"top1": slow(known)})
    while len(x := searcher.ask(3)):
        searcher.tell(x, {"top1": slow(x)})
        assert not (x[:, None] == known[None]).all(axis=2).any()
    assert searcher.front().evaluations == 70
