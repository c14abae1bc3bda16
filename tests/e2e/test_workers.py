"""``--workers`` and ``--cluster``: the same files, whichever process dies on the way; and subnets that always fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import active_children, resource_tracker
from pathlib import Path

import pandas as pd
import pytest

from hwnas.cli import main
from hwnas.executor import Here
from hwnas.space import get_space, macs_cost
from tests.e2e.conftest import Hwnas

ROOT = Path(__file__).parents[2]
SPACE = get_space("digits")
SEARCH = (
    "search", "--evaluate", "--supernet", "digits", "--objectives", "top1,macs", "--fix", "r=8", "--evals", "24",
    "--seed", "3",
)  # fmt: skip
RACE = (*SEARCH, "--searcher", "random", "--racing")


def files(stem: str | Path) -> dict[str, bytes | dict[str, object]]:
    """The files of a search, without times and settings of the run."""
    facts = json.loads(Path(f"{stem}.json").read_text())
    for key in ("created", "wall_s", "command"):
        del facts[key]
    facts["evaluator"].pop("journal")
    journal = Path(f"{stem}.csv.journal.jsonl").read_bytes()
    return {"csv": Path(f"{stem}.csv").read_bytes(), "json": facts, "journal": journal}


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which is gone at the end of the block."""
    command = [sys.executable, "-c", "from hwnas.cli import main; main()", *args]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_lines(journal: Path, n: int, process: subprocess.Popen[str]) -> None:
    while not journal.exists() or journal.read_bytes().count(b"\n") < n + 1:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)


def workers_of(driver: int) -> list[int]:
    """Processes that ``driver`` started to evaluate."""
    found = Path(f"/proc/{driver}/task/{driver}/children").read_text().split()
    return [int(pid) for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, object]:
    """What the search finds in one process."""
    stem = tmp_path_factory.mktemp("alone") / "front"
    with pytest.raises(SystemExit, match="0"):
        main([*SEARCH, "--out", f"{stem}.csv"])
    return files(stem)


@contextmanager
def nothing_left(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After the block there are no more processes, threads, open files and temporary files than before."""
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    resource_tracker.ensure_running()  # a process and a pipe that multiprocessing keeps

    def held() -> tuple[int, int, int]:
        return len(active_children()), threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = held()
    yield
    assert held() == before
    assert {path.name for path in temporary.iterdir()} <= {".ses"}  # onnxruntime's own, one for all times


@contextmanager
def ctrl_c(_title: str) -> Iterator[object]:
    """Progress that is interrupted, as by Ctrl-C, once something has been evaluated."""
    first: list[int] = []

    def advance(done: int, _total: int, _note: str = "") -> None:
        first.append(done)
        if done > first[0] + 1:
            raise KeyboardInterrupt

    yield advance


def test_files_are_the_same_when_workers_and_then_the_driver_are_killed(
    hwnas: Hwnas, alone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Path("apart.csv.journal.jsonl")
    with started(*SEARCH, "--workers", "2", "--out", "apart.csv") as driver:
        wait_for_lines(journal, 2, driver)
        workers = workers_of(driver.pid)
        os.kill(workers[0], signal.SIGKILL)
        wait_for_lines(journal, 6, driver)
        while len(workers := workers_of(driver.pid)) < 2:  # the new ones are being started
            assert driver.poll() is None, driver.communicate()[1]
            time.sleep(0.005)
        driver.kill()
    while any(Path(f"/proc/{pid}/exe").exists() for pid in workers):
        time.sleep(0.01)
    assert journal.read_bytes().count(b"\n") < 22
    with nothing_left(folder / "temporary", monkeypatch):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hwnas.study._measuring_predictor.progress", ctrl_c)
            ran = hwnas(*SEARCH, "--workers", 1, "--out", "apart.csv")
        assert ran.code == 130
        kept = journal.read_bytes().count(b"\n") - 1
        line = f"error: interrupted: {journal} keeps {kept} evaluated subnets; the same command resumes"
        assert ran.err.splitlines()[-1] == line
        ran = hwnas(*SEARCH, "--workers", 3, "--out", "apart.csv")
    assert ran.code == 0, ran.err
    assert "evaluated subnets; none is evaluated again" in ran.err
    assert files("apart") == alone


def test_files_are_the_same_on_a_cluster_that_loses_a_node(hwnas: Hwnas, alone) -> None:
    """Of a race, whose subnets come back with their statistics for further shares, to whichever node there is; and of a
    search without one, on what is left."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'hwnas[ray]'")
    nodes = [sys.executable, "-m", "tests.executor.two_nodes"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    pipe = subprocess.PIPE
    with subprocess.Popen(nodes, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as cluster:
        assert cluster.stdin is not None
        assert cluster.stdout is not None
        ran = hwnas(*RACE, "--out", "raced.csv")  # while the cluster starts
        assert ran.code == 0, ran.err
        address = cluster.stdout.readline().strip()
        with started(*RACE, "--cluster", address, "--out", "apart.csv") as driver:
            wait_for_lines(Path("apart.csv.journal.jsonl"), 4, driver)
            cluster.stdin.write("kill\n")
            cluster.stdin.flush()
            assert cluster.stdout.readline() == "gone\n"
            told = driver.communicate()[1]
            assert driver.returncode == 0, told
        assert files("apart") == files("raced")
        ran = hwnas(*SEARCH, "--cluster", address, "--out", "plain.csv")
        assert ran.code == 0, ran.err
        assert files("plain") == alone
        ran = hwnas(*SEARCH, "--cluster", address, "--workers", 64, "--out", "more.csv")
        assert (ran.code, ran.out) == (2, "")
        # It may not have noticed yet that a node is gone.
        many = "error: --workers 64: the cluster has {} CPUs; lower it, leave it out, or add nodes\n"
        assert ran.err in (many.format(1), many.format(2))
        cluster.stdin.close()


PLUGIN = """
from hwnas.supernet.digits import Digits


class Fragile(Digits):
    def extract(self, row):
        if self.space.decode(row)["e"][0] == 2:
            raise RuntimeError("no kernel for it")
        return super().extract(row)
"""


def test_subnets_that_always_fail_are_named_and_stop_the_run_or_are_skipped(hwnas: Hwnas, folder: Path) -> None:
    (folder / "own.py").write_text(PLUGIN)
    evaluate = ("evaluate", "--supernet", "own.py:Fragile", "--sample", 8, "--out", "accuracy.csv")
    ran = hwnas(*evaluate)
    assert ran.code == 2
    last = ran.err.splitlines()[-1]
    assert last.startswith('error: subnet {"')
    assert "RuntimeError: no kernel for it; correct the cause and run the same command again, which resumes" in last
    ran = hwnas(*evaluate, "--on-failure", "skip")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("accuracy.csv")
    assert 0 < len(frame) < 8
    assert ran.err.count("skipped: subnet") == 8 - len(frame)
    assert all(json.loads(arch)["e"][0] != 2 for arch in frame["arch"])
    again = hwnas(*evaluate, "--on-failure", "skip")
    assert "skipped" not in again.err.replace("are skipped", "")
    assert pd.read_csv("accuracy.csv").equals(frame)


def test_what_was_skipped_is_on_no_front(hwnas: Hwnas, folder: Path) -> None:
    (folder / "own.py").write_text(PLUGIN)
    own = ["own.py:Fragile" if word == "digits" else word for word in SEARCH]
    ran = hwnas(*own, "--searcher", "random", "--on-failure", "skip")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert len(frame)
    assert all(json.loads(arch)["e"][0] != 2 for arch in frame["arch"])
    failed = json.loads(Path("pareto.json").read_text())["evaluator"]["failed"]
    assert failed
    assert all(arch["e"][0] == 2 for arch in failed)
    entries = [json.loads(line) for line in Path("pareto.csv.journal.jsonl").read_text().splitlines()[1:]]
    measured = [entry for entry in entries if "failed" not in entry]
    assert set(frame["top1_source"].str.partition(" measured ")[0]) == {f"expected by {len(measured)} subnets"}
    smallest = min(macs_cost(SPACE)(SPACE.encode_many([entry["arch"] for entry in measured])))
    assert frame["macs"].min() == smallest  # what was skipped stands in front of nothing either


def test_a_search_goes_on_whose_first_subnets_fail(hwnas: Hwnas, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwnas.executor._where.Processes", lambda _, opener: Here(opener))
    (folder / "own.py").write_text(PLUGIN)
    own = [{"digits": "own.py:Fragile", "24": "8"}.get(word, word) for word in SEARCH]
    own += ["--searcher", "random", "--on-failure", "skip"]
    freely = (*own, "--asynchronous", "--workers", 1)
    ran = hwnas(*freely)
    assert ran.code == 0, ran.err
    journal = Path("pareto.csv.journal.jsonl").read_text().splitlines(keepends=True)
    Path("killed.csv.journal.jsonl").write_text("".join(journal[:2]))
    assert '"failed"' in journal[1]
    ran = hwnas(*freely, "--out", "killed.csv")
    assert ran.code == 0, ran.err
    for how in (("--asynchronous", "--workers", 1), ("--racing",)):
        ran = hwnas(*own, "--fix", "e[0]=2", *how, "--out", f"none{len(how)}.csv")
        assert (ran.code, "could be evaluated; correct the cause, and try them again" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((*SEARCH, "--workers", 0), "workers 0: at least 1 is needed; raise it, or leave it out"),
        (("evaluate", "--supernet", "digits", "--sample", 1, "--out", "a.csv", "--workers", -2), "workers -2"),
        ((*SEARCH, "--workers", 9999), "workers 9999: this machine has "),
        (
            ("train", "--supernet", "digits", "--out", "t.safetensors", "--workers", 9999),
            "only fill its memory; write --workers ",
        ),
        (("search", "--workers", 2), "--workers 2: workers evaluate subnets, and nothing is evaluated; add --evaluate"),
        (("bench", "--cluster", "auto"), "--cluster auto: workers evaluate subnets"),
        ((*SEARCH, "--on-failure", "ignore"), "--on-failure ignore: it is stop or skip"),
    ],
)
def test_wrong_values_are_one_line(args, words, hwnas: Hwnas) -> None:
    ran = hwnas(*args)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert words in ran.err


def test_a_cluster_that_is_not_there_is_one_line(hwnas: Hwnas) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'hwnas[ray]'")
    for address in ("auto", "127.0.0.1:9"):
        ran = hwnas(*SEARCH, "--cluster", address)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: --cluster {address}: it cannot be reached (")
        assert len(ran.err.splitlines()) == 1
