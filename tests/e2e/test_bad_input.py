"""Bad input: exit code 2, one line on stderr that names the fault, nothing half-written."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwnas.report import pareto_frame, write_pareto
from tests.e2e.conftest import SPACE, Hwnas

Refused = Callable[..., str]
ARCH = SPACE.decode(SPACE.restrict(r=160).sample(1, np.random.default_rng(0))[0])


@pytest.fixture
def refused(hwnas: Hwnas, folder: Path) -> Refused:
    """Runs a command that must be refused; returns its one line."""

    def run(*args: object) -> str:
        before = _contents(folder)
        ran = hwnas(*args)
        assert ran.code == 2, ran.err
        assert ran.out == ""
        assert ran.err.startswith("error: ")
        assert len(ran.err.splitlines()) == 1, ran.err
        assert _contents(folder) == before
        return ran.err

    return run


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def damaged(table: Path, folder: Path) -> Callable[..., Path]:
    """A copy of the table with one file rewritten."""

    def make(name: str, change: Callable[[str], str]) -> Path:
        copy = folder / "damaged"
        shutil.copytree(table, copy)
        (copy / name).write_text(change((copy / name).read_text()))
        return copy

    return make


@pytest.mark.parametrize(
    ("option", "quantity", "words"),
    [
        ("--latency", "20", "write 20ms"),
        ("--latency", "-5ms", "positive"),
        ("--latency", "20 parsecs", "parsecs"),
        ("--latency", "nanms", "positive"),
        ("--latency", "20MB", "no unit of latency"),
        ("--macs", "300", "write 300M"),
        ("--params", "5MB", "no unit"),
    ],
)
def test_quantities(refused: Refused, option: str, quantity: str, words: str) -> None:
    line = refused("search", f"{option}={quantity}")
    assert f"{option} {quantity}" in line
    assert words in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--space", "ofa_mbv_w1.0"], "did you mean 'ofa_mbv3_w1.0'"),
        (["--device", "cup"], "did you mean 'cpu'"),
        (["--device", "nvidia"], "known: "),
        (["--device", "nvidia"], "or import a table of it: hwnas profile --import FILE --device NAME"),
        (["--searcher", "nsga"], "there is no such searcher"),
        (["--objectives", "top1,latncy"], "did you mean 'latency'"),
        (["--objectives", "top1,top1"], "once"),
        (["--objectives", ","], "it names nothing"),
        (["--fix", "r=225"], "choices of r"),
        (["--fix", "q=1"], "q"),
        (["--fix", "r"], "GENE=VALUE"),
        (["--threads", "0"], "--threads"),
        (["--seed", "x"], "--seed"),
        (["--latncy", "20ms"], "did you mean --latency?"),
        (["--out", "front.json"], "front.csv"),
        (["--out", "/proc/none/front.csv"], "cannot be written"),
    ],
)
def test_names_and_options(refused: Refused, predictor: Path, arguments: list[str], words: str) -> None:
    assert words in refused("search", "--predictor", predictor, *arguments)


def test_a_provider_that_is_not_installed_says_what_to_install(refused: Refused, predictor: Path) -> None:
    assert "install onnxruntime-qnn" in refused("search", "--device", "qnn", "--predictor", predictor)


def test_an_output_that_is_a_folder(refused: Refused, folder: Path) -> None:
    (folder / "front.csv").mkdir()
    assert "it is a folder" in refused("search", "--out", "front.csv")


def test_a_budget_below_the_fastest_subnet(refused: Refused, table: Path, predictor: Path) -> None:
    line = refused("search", "--latency", "0.1ms", "--device", table, "--predictor", predictor)
    assert "no subnet of ofa_mbv3_w1.0 runs under 0.1 ms on toy" in line
    assert "the fastest takes" in line


def test_budgets_on_counts_are_refused_before_a_table_is_profiled(refused: Refused, predictor: Path) -> None:
    assert "the smallest needs" in refused("search", "--macs", "1M", "--predictor", predictor)


def test_a_table_of_another_space(refused: Refused, table: Path, predictor: Path) -> None:
    line = refused("search", "--space", "ofa_resnet50", "--device", table, "--objectives", "latency,macs")
    assert "no row for" in line
    assert predictor.exists()


def _rewritten(key: str, value: object) -> Callable[[str], str]:
    return lambda text: json.dumps({**json.loads(text), key: value})


def _line(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def rewrite(text: str) -> str:
        lines = text.splitlines()
        lines[number] = change(lines[number])
        return "\n".join(lines) + "\n"

    return rewrite


def _value(column: int, value: str) -> Callable[[str], str]:
    def change(line: str) -> str:
        values = line.split(",")
        values[column] = value
        return ",".join(values)

    return _line(3, change)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("device.json", _rewritten("schema", 99), "schema"),
        ("device.json", lambda text: text[:50], "cannot be read"),
        ("table.csv", lambda text: text[: len(text) // 2], "line"),
        ("table.csv", lambda text: "\n".join(text.splitlines()[:-3]) + "\n", "rows"),
        ("table.csv", lambda _: "\x00\x01 not a table", "columns"),
        ("table.csv", lambda _: "", "columns"),
        ("table.csv", _value(1, "nan"), "cannot be a latency"),
        ("table.csv", _value(1, "-1"), "are not in order"),
        ("table.csv", _value(1, "inf"), "cannot be a latency"),
        ("table.csv", lambda text: text + text.splitlines()[-1] + "\n", "twice"),
        ("table.csv", _line(3, lambda line: "another" + line), "no row for"),
    ],
    ids=[
        "schema",
        "json cut",
        "cut in a line",
        "cut at a line",
        "not a CSV",
        "empty",
        "NaN",
        "negative",
        "infinite",
        "twice",
        "missing key",
    ],
)
def test_damaged_tables(
    refused: Refused, damaged: Callable[..., Path], predictor: Path, file: str, change: Callable[[str], str], words: str
) -> None:
    path = damaged(file, change)
    assert words in refused("search", "--device", path, "--predictor", predictor, "--fix", "r=160")


def test_a_folder_that_is_no_table(refused: Refused, folder: Path, predictor: Path) -> None:
    (folder / "empty").mkdir()
    assert "empty" in refused("search", "--device", "empty", "--predictor", predictor)


def test_conditions_other_than_the_tables(refused: Refused, table: Path, predictor: Path) -> None:
    line = refused("search", "--device", table, "--batch", 8, "--predictor", predictor)
    assert "drop --batch" in line


def test_a_predictor_of_another_space(refused: Refused, table: Path, predictor: Path) -> None:
    line = refused("search", "--space", "ofa_mbv3_w1.2", "--device", table, "--predictor", predictor)
    assert "ofa_mbv3_w1.0, not ofa_mbv3_w1.2" in line


@pytest.mark.parametrize("content", [b"", b"not a predictor", b"PK\x03\x04 not a zip", b"\x80\x02}q\x00."])
def test_a_file_that_is_no_predictor(refused: Refused, table: Path, folder: Path, content: bytes) -> None:
    (folder / "p.safetensors").write_bytes(content)
    assert "predictor" in refused("search", "--device", table, "--predictor", "p.safetensors")


def test_a_space_without_predictor_names_the_remedy(refused: Refused) -> None:
    assert "hwnas fit" in refused("search", "--space", "ofa_resnet50")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("arch\n", "no rows"),
        ("name\nx\n", "arch"),
        ("arch\n{\n", "row 1"),
        ('arch\n"[1, 2]"\n', "row 1"),
        ("arch,n\nx\n", "fields"),
        ("arch,arch\nx,y\n", "twice"),
        ("\x00", "binary"),
    ],
)
def test_csvs_of_archs(refused: Refused, folder: Path, content: str, words: str) -> None:
    (folder / "archs.csv").write_text(content)
    assert words in refused("predict", "archs.csv", "--space", "ofa_mbv3_w1.0", "--out", "out.csv")


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"ks": [9] * 20}, "ks"), ({"d": [2]}, "'d'"), ({"r": 1}, "r "), ({"q": 1}, "'q'"), ({"d": None}, "'d'")],
)
def test_archs_that_are_not_of_the_space(
    refused: Refused, folder: Path, changed: dict[str, object], words: str
) -> None:
    cell = json.dumps({**ARCH, **changed}).replace('"', '""')
    (folder / "archs.csv").write_text(f'arch\n"{cell}"\n')
    line = refused("predict", "archs.csv", "--space", "ofa_mbv3_w1.0", "--out", "out.csv")
    assert "file archs.csv, row 1" in line
    assert words in line


def test_rows_that_the_table_does_not_cover(refused: Refused, folder: Path, table: Path, predictor: Path) -> None:
    cell = json.dumps({**ARCH, "r": 224}).replace('"', '""')
    (folder / "archs.csv").write_text(f'arch\n"{cell}"\n')
    common = ("--space", "ofa_mbv3_w1.0", "--device", table, "--predictor", predictor, "--out", "out.csv")
    assert "row 1, r = 224" in refused("predict", "archs.csv", *common)


@pytest.mark.parametrize("command", ["predict", "report"])
def test_files_that_are_not_there(refused: Refused, command: str) -> None:
    rest = ["--space", "ofa_mbv3_w1.0", "--out", "x.csv"] if command == "predict" else []
    assert "none.csv" in refused(command, "none.csv", *rest)


def test_predict_needs_to_know_the_space(refused: Refused) -> None:
    assert "--space" in refused("predict", "archs.csv", "--out", "x.csv")


def test_reports_of_damaged_fronts(refused: Refused, folder: Path) -> None:
    archs = SPACE.decode_many(SPACE.sample(2, np.random.default_rng(0)))
    write_pareto(pareto_frame(archs, {"top1": np.array([70.0, 71.0])}), folder / "p.csv")
    assert "a picture ends in" in refused("report", "p.csv", "--out", "p.txt")
    (folder / "p.json").write_text("{")
    assert "p.json" in refused("report", "p.csv")
    (folder / "p.json").unlink()
    (folder / "p.csv").write_text((folder / "p.csv").read_text().replace("71.0", "nan"))
    assert "finite" in refused("report", "p.csv")


@pytest.mark.parametrize(
    "command",
    [
        "search --space digits --objectives macs,params --out .",
        "search --space digits --objectives macs,params --out /",
        "train --supernet digits --out .",
        "report .",
        "report . --html",
        "measure .",
    ],
)
def test_the_folder_itself_is_no_file(command: str, refused: Refused) -> None:
    """Paths without a name, which have no ending to replace."""
    assert re.match(r"error: (file|output|--out) [./]: ", refused(*command.split()))
