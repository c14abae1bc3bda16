"""Slow metrics: evaluated once, kept in a journal, wherever they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from operator import methodcaller
from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import DataError
from hwnas.executor import ATTEMPTS, Here, Opener, Outcome, Processes
from hwnas.io import Journal
from hwnas.search import Constraint, Evaluator, Objective, Problem, SlowMetrics, journal_identity, run_search
from hwnas.space import macs_cost
from tests.search.expensive.test_linas import Counted, accuracy, fit_of
from tests.space.toy import enumerate_rows, toy_space

SPACE = toy_space()
MACS = macs_cost(SPACE)


def problem_of(fn, *constraints):
    objectives = [Objective("top1", "%", True, fn), Objective("macs", "", False, MACS)]
    return Problem(SPACE, objectives, constraints, slow=["top1", *(c.name for c in constraints)])


def test_a_journal_remembers_and_rows_are_evaluated_once(tmp_path: Path):
    rows = enumerate_rows(SPACE)[:6]
    identity = journal_identity(SPACE, {"data": "none"})
    with Journal(tmp_path / "j.jsonl", identity) as journal:
        slow = Counted(SPACE, accuracy(SPACE))
        first = Evaluator(problem_of(slow), journal)(np.concatenate([rows[:4], rows[:2]]))
        assert len(slow.rows) == 4
    told = []
    with Journal(tmp_path / "j.jsonl", identity) as journal:
        slow = Counted(SPACE, accuracy(SPACE))
        evaluator = Evaluator(problem_of(slow), journal, progress=lambda done, total: told.append((done, total)))
        assert evaluator.n_known == 4
        again = evaluator(rows)
        assert len(slow.rows) == 2
    np.testing.assert_array_equal(again["top1"][:4], first["top1"][:4])
    np.testing.assert_array_equal(again["macs"], MACS(rows))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_value_that_is_not_finite_is_not_journaled(tmp_path: Path):
    with Journal(tmp_path / "j.jsonl", journal_identity(SPACE, {})) as journal:
        evaluator = Evaluator(problem_of(lambda x: np.full(len(x), np.nan)), journal)
        with pytest.raises(DataError, match="it is nan, not a finite number; check the evaluation"):
            evaluator(enumerate_rows(SPACE)[:1])
        assert not journal.entries


def test_two_slow_metrics_stand_in_one_line(tmp_path: Path):
    rows = enumerate_rows(SPACE)[:3]
    energy = Constraint("energy_mj", "mJ", lambda x: x.sum(axis=1) * 1.0, 1e9)
    with Journal(tmp_path / "j.jsonl", journal_identity(SPACE, {})) as journal:
        values = Evaluator(problem_of(accuracy(SPACE), energy), journal)(rows)
        assert [e["energy_mj"] for e in journal.entries] == values["energy_mj"].tolist()
        assert [e["top1"] for e in journal.entries] == values["top1"].tolist()


class Backwards(Here):
    """Three workers that finish in reverse order."""

    workers = 3

    def __init__(self, opener: Opener) -> None:
        super().__init__(opener)
        self.begun: list[tuple[int, object]] = []

    def start(self, key: int, item: object) -> None:
        self.begun.append((key, item))

    def wait(self) -> list[tuple[int, Outcome]]:
        super().start(*self.begun.pop())
        return super().wait()


def test_workers_change_neither_the_result_nor_the_journal(tmp_path: Path):
    found = []
    for kind in (Here, Backwards):
        problem = problem_of(accuracy(SPACE))
        with Journal(tmp_path / kind.__name__, journal_identity(SPACE, {})) as journal:
            evaluate = Evaluator(problem, journal, kind(SlowMetrics.of(problem)))
            found.append(run_search(problem, "nsga2", evaluations=60, seed=1, population=20, evaluate=evaluate))
    np.testing.assert_array_equal(found[0].x, found[1].x)
    assert (tmp_path / "Here").read_bytes() == (tmp_path / "Backwards").read_bytes()


def test_slow_metrics_travel_to_processes():
    energy = Objective("energy_mj", "mJ", False, methodcaller("sum", axis=1))
    problem = Problem(SPACE, [energy], slow=["energy_mj"])
    rows = enumerate_rows(SPACE)[:3]
    with Processes(1, SlowMetrics.of(problem)) as executor:
        values = Evaluator(problem, executor=executor)(rows)
    np.testing.assert_array_equal(values["energy_mj"], rows.sum(axis=1))


def test_a_metric_that_always_fails_is_tried_again_and_told():
    tried = []

    def broken(x):
        tried.append(x)
        raise ValueError("no such board")

    with pytest.raises(DataError, match=r"top1 of .*: ValueError: no such board; check the evaluation"):
        Evaluator(problem_of(broken))(enumerate_rows(SPACE)[:1])
    assert len(tried) == ATTEMPTS


RUN = """
import sys
from pathlib import Path
from hwnas.search.expensive import _linas
from tests.search.test_evaluator import searched
_linas.INNER_GENERATIONS = 4
print(searched(Path(sys.argv[1]), sys.argv[2], pause_s=0.02))
"""


def searched(path: Path, searcher: str, pause_s: float = 0.0) -> str:
    """What a search finds, its values to the last bit."""
    top1 = accuracy(SPACE)

    def slow(x):
        time.sleep(pause_s)
        return top1(x)

    problem = problem_of(slow)
    with Journal(path, journal_identity(SPACE, {"seed": 3})) as journal:
        evaluate = Evaluator(problem, journal)
        settings = {"evaluations": 40, "seed": 3, "fit": fit_of(SPACE), "population": 12}
        result = run_search(problem, searcher, evaluate=evaluate, **settings)
    return f"{result.x.tolist()} {[v.hex() for v in result.values['top1'].tolist()]} {result.trace}"


def start(journal: Path, searcher: str, hash_seed: str) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", RUN, str(journal), searcher], env=environment)


def lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.parametrize("searcher", ["linas", "nsga2"])
def test_a_killed_search_goes_on_as_if_it_had_never_stopped(searcher: str, tmp_path: Path):
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    expected = searched(whole, searcher)
    for at in (6, 23):  # within the start, and within a batch
        process = start(torn, searcher, str(at))
        while lines(torn) < at and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 23 <= lines(torn) < lines(whole) == 41
    with torn.open("ab") as file:
        file.write(b'{"arch": {"ks"')  # a line that was being written
    assert searched(torn, searcher) == expected
    assert torn.read_bytes() == whole.read_bytes()
