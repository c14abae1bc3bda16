"""Bundles, the script on the board, and its results: run for real on a tiny space, killed, and damaged."""

from __future__ import annotations

import ast
import csv
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from hwnas import latency, space
from hwnas.errors import DataError, DeviceError, TableError, UnknownNameError
from hwnas.latency import Host, Plan, bundled_device, import_board, is_board_result, read_board, write_bundle
from hwnas.latency.boards import _bundle
from hwnas.latency.boards import _result as results
from hwnas.latency.boards._board import BoardError, _begun, make_weights
from hwnas.space import with_inputs
from tests.latency.fakes import tiny_space

SPACE = tiny_space()
PLAN = Plan(times=1, sessions=2, n_calibration=2, n_validation=4)
Rows = list[list[str]]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a bundle was run, killed on the way."""
    folder = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bundle, "ROUNDS", (2, 2))
        written = write_bundle(folder / "b.zip", bundled_device("cpu"), SPACE.restrict(r=8), PLAN)
    assert written.size < 60_000
    with zipfile.ZipFile(folder / "b.zip") as file:
        file.extractall(folder)
    journal = folder / "journal.jsonl"
    (folder / "scratch" / "of a killed run").mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "run.py"], cwd=folder, stdout=subprocess.DEVNULL)
    while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 3):
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = journal.read_bytes()
    journal.write_bytes(kept + b'{"block": 3, "ti')  # a torn line
    subprocess.run([sys.executable, "run.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    whole = kept[: kept.rfind(b"\n") + 1]
    assert journal.read_bytes().startswith(whole)
    assert not (folder / "scratch").exists()
    numbers = [json.loads(line)["block"] for line in journal.read_text().splitlines()[1:]]
    assert numbers == list(range(len(numbers)))
    return folder


@pytest.fixture(autouse=True)
def _tiny_is_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "get_space", lambda _: SPACE)


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of microseconds on a busy machine drift by any factor."""
    monkeypatch.setattr(results, "DRIFT", 1e9)


@pytest.mark.usefixtures("lenient")
def test_a_board_killed_on_the_way_gives_a_table(board: Path, tmp_path: Path) -> None:
    assert is_board_result(board / "board.csv")
    result = read_board(board / "board.csv")
    table = import_board(result, tmp_path / "board")
    part = SPACE.restrict(r=8)
    assert {row.key for row in table.rows.values()} == set(part.layers())
    facts = table.spaces["tiny"]
    assert facts["method"] == "in-context"
    assert facts["resolutions"] == [8]
    assert facts["validation"]["n_validation"] == 4
    here = latency.get_device("cpu")
    assert table.device.differences(here) == []  # this machine was the board
    # Again: the rows are replaced, at the speed of the first.
    again = import_board(result, tmp_path / "board")
    assert again.spaces["tiny"]["anchor"]["median_ms"] == facts["anchor"]["median_ms"]


def test_a_space_that_no_name_opens_is_named_again_where_its_result_is_read(tmp_path: Path) -> None:
    named = SPACE.opened_by("my nets.py:Own").restrict(r=8)
    write_bundle(tmp_path / "b.zip", bundled_device("cpu"), named, PLAN)
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        plan = json.loads(file.read("plan.json"))
    with pytest.raises(DataError, match=r"is not a registered one; pass --space 'my nets\.py:Own' --fix r=8"):
        results._planned(plan, None)
    with pytest.raises(DataError, match=r"differs from the one .*; pass --space 'my nets\.py:Own' --fix r=8, or make"):
        results._planned(plan, with_inputs(SPACE, r=9))
    assert results._planned(plan, named)[0].reference == named.reference


def _damaged(board: Path, tmp_path: Path, change: Callable[[Rows], Rows]) -> Path:
    with (board / "board.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    path = tmp_path / "board.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(change(rows))
    return path


def _edit(what: str, column: int, value: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        row = next(row for row in rows[1:] if row[4] == what)
        row[column] = value
        return rows

    return change


def _tagged(column: int, where: slice) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        for row in rows[where]:
            row[column] = "0123456789abcdef"
        return rows

    return change


def _without(what: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows.remove(next(row for row in rows[1:] if row[4] == what))
        rows[-1][-1] = str(len(rows) - 2)
        return rows

    return change


def _twice(rows: Rows) -> Rows:
    rows.insert(8, next(row for row in rows[1:] if row[4] == "run_ns"))
    rows[-1][-1] = str(len(rows) - 2)
    return rows


def _impossible(rows: Rows) -> Rows:
    row = next(row for row in rows[1:] if row[4] == "run_ns")
    row[-1] = " ".join("1" for _ in row[-1].split())
    return rows


def _slower(rows: Rows) -> Rows:
    blocks = [int(row[2]) for row in rows[1:] if row[2]]
    for row in (row for row in rows[1:] if row[2] and int(row[2]) > max(blocks) // 2):
        if row[4] in ("anchor_ns", "run_ns"):
            row[-1] = " ".join(str(30 * int(ns)) for ns in row[-1].split())
        if row[4] == "node_us":
            row[-1] = " ".join(str(30 * float(us)) for us in row[-1].split())
    return rows


CASES: list[tuple[Callable[[Rows], Rows], str]] = [
    (lambda rows: rows[:-1], "cut short: its last row"),
    (lambda rows: [*rows[:-1], rows[-1][:3]], "it is cut short"),
    (lambda rows: rows[:1], "cut short"),
    (lambda rows: [rows[0], [*rows[-1][:-1], "0"]], "it holds no times"),
    (lambda rows: [["key", "value"], *rows[1:]], "its columns are not"),
    (lambda rows: [*rows[:9], *rows[10:]], "rows are missing"),
    (lambda rows: [*rows, *rows[1:]], "two ends"),
    (_without("run_ns"), "missing or incomplete"),
    (_without("node_us"), "missing or incomplete"),
    (_twice, "there twice"),
    (_edit("run_ns", -1, "1 2 -3 4"), "-3.0, which cannot be a time"),
    (_edit("run_ns", -1, "1 2 nan 4"), "nan, which cannot be a time"),
    (_edit("anchor_ns", -1, "1 2 inf 4"), "inf, which cannot be a time"),
    (_edit("run_ns", -1, "1 2 x 4"), "it is no number"),
    (_edit("run_ns", -1, ""), "it has no values"),
    (_edit("run_ns", -1, "20000 30000"), "has 2 times in 2 rounds"),
    (_impossible, "took 1 to 1 ns, which cannot be"),
    (_edit("rounds", -1, "0"), "in 0 rounds"),
    (_edit("rounds", -1, "1.5"), "in 1.5 rounds"),
    (_edit("run_ns", 3, "n9999"), "missing or incomplete"),
    (_edit("plan", -1, "{}"), "another plan than the one it describes"),
    (_edit("device", -1, "{}"), "another device than the one it describes"),
    (_tagged(0, slice(9, 12)), "mixes rows of 2 plans"),
    (_tagged(1, slice(9, 12)), "mixes rows of 2 devices"),
    (_tagged(0, slice(1, None)), "another plan"),
    (_slower, "a drift beyond a factor of 2"),
]


@pytest.mark.parametrize(("change", "message"), CASES, ids=range(len(CASES)))
def test_a_bad_result_is_refused_in_one_line(
    change: Callable[[Rows], Rows], message: str, board: Path, tmp_path: Path
) -> None:
    path = _damaged(board, tmp_path, change)
    before = path.read_bytes()
    with pytest.raises(DataError, match=message) as error:
        read_board(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.usefixtures("lenient")
def test_a_table_of_another_device_is_not_added_to(board: Path, tmp_path: Path) -> None:
    result = read_board(board / "board.csv")
    other = bundled_device("cpu", threads=2)
    latency.LatencyTable(other, {}).save(tmp_path / "t")
    with pytest.raises(TableError, match="other conditions"):
        import_board(result, tmp_path / "t")


@pytest.mark.parametrize(
    ("url", "target", "port"),
    [
        ("ssh://Kitchen", "Kitchen", None),
        ("ssh://Me@Pi4.local:2222", "Me@Pi4.local", 2222),
        ("ssh://me@[fe80::1]:2222", "me@fe80::1", 2222),
    ],
)
def test_an_address_keeps_its_capitals(url: str, target: str, port: int | None) -> None:
    """Names in an ssh config tell them apart."""
    host = Host.of(url)
    assert (host.target, host.port) == (target, port)
    assert Host.of(str(host)) == host


@pytest.mark.parametrize("url", ["ssh://pi/folder", "ssh://pi?x", "ssh://pi#x", "ssh://me:secret@pi", "ssh://-x"])
def test_an_address_is_a_user_a_host_and_a_port(url: str) -> None:
    with pytest.raises(DeviceError, match="it reads ssh://user@host"):
        Host.of(url)


def test_the_script_refuses_what_it_cannot_do(board: Path, tmp_path: Path) -> None:
    def said(change: Callable[[dict[str, object]], object]) -> str:
        for name in ("run.py", "alone.py", "loop.py", "facts.py", "journal.jsonl"):
            (tmp_path / name).write_bytes((board / name).read_bytes())
        (tmp_path / "models").mkdir(exist_ok=True)
        plan = json.loads((board / "plan.json").read_text())
        change(plan)
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "begun with another plan" in said(lambda plan: plan.update(format=0))
    assert "cores; make another bundle" in said(lambda plan: plan["device"].update(threads=9999))  # type: ignore[attr-defined]
    assert "install x" in said(lambda plan: plan["device"].update(provider="NoSuch", package="x"))  # type: ignore[attr-defined]
    assert "cannot be read" in said(lambda plan: plan.pop("blocks"))


@pytest.mark.parametrize("line", [b"[1]", b'{"times": []}'])
def test_a_journal_of_something_else_is_refused(line: bytes, tmp_path: Path) -> None:
    header = {"journal": 1, "plan": "p", "device": {}}
    (tmp_path / "journal.jsonl").write_bytes(json.dumps(header).encode() + b"\n" + line + b"\n")
    with (tmp_path / "journal.jsonl").open("a+b") as journal, pytest.raises(BoardError, match="damaged; delete it"):
        _begun(journal, header)


def test_the_script_is_python_3_8_and_needs_nothing_but_numpy_and_onnxruntime() -> None:
    imported = set()
    for module in _bundle.SCRIPTS:
        source = Path(find_spec(module).origin).read_text()  # type: ignore[union-attr,arg-type]
        for node in ast.walk(ast.parse(source, feature_version=(3, 8))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "hwnas"}  # hwnas: the loop, renamed


def test_providers_without_node_times_get_layers_one_by_one(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b.zip", bundled_device("tensorrt:1"), SPACE.restrict(r=8), PLAN)
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        plan = json.loads(file.read("plan.json"))
    assert {block["stage"] for block in plan["blocks"]} == {"calibration", "one by one", "validation"}
    assert plan["device"]["memory"] == ["cuda", 1]
    with pytest.raises(UnknownNameError, match="did you mean 'cuda'"):
        bundled_device("cudo")
    with pytest.raises(DeviceError, match="number of the device"):
        bundled_device("cuda:x")
    with pytest.raises(DeviceError, match="one device, without a number; write cpu"):
        bundled_device("cpu:0")


def test_bundles_of_published_spaces_are_small(tmp_path: Path) -> None:
    part = space.get_space("ofa_mbv3_w1.0").restrict(r=224, ks=3, d=2)
    written = write_bundle(tmp_path / "b.zip", bundled_device("cpu"), part, Plan(n_validation=2, n_calibration=2))
    assert written.size / written.networks < 12_000  # their weights are 20 MB each


@pytest.mark.parametrize(("provider", "precision"), [("cpu", "int8"), ("cuda", "fp16")])
def test_bundled_models_of_other_precisions_run(provider: str, precision: str, tmp_path: Path) -> None:
    write_bundle(tmp_path / "b.zip", bundled_device(provider), SPACE.restrict(r=8), PLAN, precision=precision)
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        file.extractall(tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["precision"] == precision
    make_weights(tmp_path / plan["weights"]["file"], plan["weights"])
    for model in plan["networks"].values():
        session = ort.InferenceSession(str(tmp_path / model["file"]), providers=["CPUExecutionProvider"])
        feed = {each["name"]: np.ones(each["shape"], dtype=each["element"]) for each in model["inputs"]}
        (logits,) = session.run(None, feed)
        assert np.isfinite(logits).all()
