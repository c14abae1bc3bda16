"""Slow metrics: evaluated once, kept in a journal, wherever they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import DataError
from hwnas.io import Journal
from hwnas.search import Constraint, Evaluator, Objective, Problem, journal_identity, run_search
from hwnas.space import macs_cost
from tests.search.expensive.test_linas import Counted, accuracy
from tests.space.toy import enumerate_rows, toy_space

SPACE = toy_space()
MACS = macs_cost(SPACE)


def problem_of(fn, *constraints):
    objectives = [Objective("top1", "%", True, fn), Objective("macs", "", False, MACS)]
    return Problem(SPACE, objectives, constraints, slow=["top1", *(c.name for c in constraints)])


def slow_top1(x):
    """Slower for some rows than for those after them."""
    time.sleep(0.01 * float(x.sum() % 3))
    return accuracy(SPACE)(x)


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


def test_workers_change_neither_the_result_nor_the_journal(tmp_path: Path):
    found = []
    for name, workers in (("here", 0), ("there", 2)):
        problem = problem_of(slow_top1)
        executor = ProcessPoolExecutor(workers) if workers else None
        with Journal(tmp_path / name, journal_identity(SPACE, {})) as journal:
            evaluate = Evaluator(problem, journal, executor)
            found.append(run_search(problem, "evolution", evaluations=60, seed=1, population=20, evaluate=evaluate))
        if executor is not None:
            executor.shutdown()
    np.testing.assert_array_equal(found[0].x, found[1].x)
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()


RUN = """
import sys, time
from pathlib import Path
from hwnas.io import Journal
from hwnas.search import Evaluator, Objective, Problem, journal_identity, run_search
from hwnas.search.expensive import _linas
from hwnas.space import macs_cost
from tests.search.expensive.test_linas import accuracy, fit_of
from tests.space.toy import toy_space

_linas.INNER_GENERATIONS = 4
space, name, pause = toy_space(), sys.argv[2], float(sys.argv[3])
top1 = accuracy(space)

def slow(x):
    time.sleep(pause)
    return top1(x)

problem = Problem(
    space, [Objective("top1", "%", True, slow), Objective("macs", "", False, macs_cost(space))], slow=["top1"]
)
with Journal(Path(sys.argv[1]), journal_identity(space, {"seed": 3})) as journal:
    evaluate = Evaluator(problem, journal)
    result = run_search(problem, name, evaluations=40, seed=3, fit=fit_of(space), evaluate=evaluate, population=12)
print(result.x.tolist(), [v.hex() for v in result.values["top1"].tolist()], result.trace)
"""


def run(journal: Path, searcher: str, pause: float, hash_seed: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, str(journal), searcher, str(pause)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def lines(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.parametrize("searcher", ["linas", "nsga2"])
def test_a_killed_search_goes_on_as_if_it_had_never_stopped(searcher: str, tmp_path: Path):
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    expected = run(whole, searcher, 0.0, "1").communicate()[0]
    for at in (6, 23):  # within the start, and within a batch
        process = run(torn, searcher, 0.02, "2")
        while lines(torn) < at and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert 23 <= lines(torn) < lines(whole) == 41
    with torn.open("ab") as file:
        file.write(b'{"arch": {"ks"')  # a line that was being written
    assert run(torn, searcher, 0.0, "3").communicate()[0] == expected
    assert torn.read_bytes() == whole.read_bytes()
