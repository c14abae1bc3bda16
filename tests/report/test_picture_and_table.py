"""The picture, the table and the provenance."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hwnas.errors import DataError
from hwnas.files import file_hash
from hwnas.report import (
    Picture,
    draw,
    front_table,
    pareto_frame,
    provenance_path,
    read_provenance,
    save_plot,
    thinned,
    write_provenance,
)
from hwnas.space import get_space
from tests.report.test_csv import front

PNG = b"\x89PNG\r\n\x1a\n"


def test_picture_is_a_png_and_the_same_every_time(tmp_path: Path) -> None:
    sample = {"latency_ms": np.linspace(2, 40, 30), "top1": np.linspace(60, 75, 30)}
    picture = Picture(front(12), "latency_ms", "top1", "title", "below", sample, {"latency_ms": 20.0})
    for name in ("a.png", "b.png"):
        save_plot(picture, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ends in \.png, \.svg, \.pdf; write for example .*front\.png"):
        save_plot(Picture(front(3), "macs", "top1", "title"), tmp_path / "front.jpg")


@pytest.mark.parametrize("word", ["budget", "at least"])
@pytest.mark.parametrize("bound", [0.001, 20.0, 45.0, 1e6])
def test_any_bound_is_named_in_the_picture(word: str, bound: float) -> None:
    plain, bounds = Picture(front(3), "latency_ms", "top1", "title"), {"latency_ms": bound}
    shown = replace(plain, budgets=bounds) if word == "budget" else replace(plain, floors=bounds)
    axes = draw(shown).axes[0]
    [text] = [text.get_text() for text in axes.texts if f"{word} {bound:.4g} ms" in text.get_text()]
    left, right = axes.get_xlim()
    assert left <= bound <= right or "all of these" in text
    assert left < shown.frame["latency_ms"].median() < right


def test_between_two_subnets_the_line_is_at_the_one_that_a_bound_leaves() -> None:
    frame = front(5)
    frame["images_per_s"] = 1000 / frame["latency_ms"]
    for x, steps in (("latency_ms", "steps-post"), ("images_per_s", "steps-pre")):
        line, *_ = draw(Picture(frame, x, "top1", "title")).axes[0].lines
        assert line.get_drawstyle() == steps


@pytest.mark.parametrize("n", [1, 2])
def test_a_picture_of_hardly_anything(tmp_path: Path, n: int) -> None:
    save_plot(Picture(front(n), "macs", "top1", "title"), tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(PNG)


def test_a_third_objective_colours_the_members(tmp_path: Path) -> None:
    frame = front(12).assign(**{"latency_ms@phone": np.linspace(9, 3, 12)})
    save_plot(Picture(frame, "latency_ms", "top1", "title", z="latency_ms@phone"), tmp_path / "p.svg")
    assert "Latency, phone (ms)" in (tmp_path / "p.svg").read_text()


def test_columns_of_a_device_are_read_and_shown() -> None:
    frame = front(3).assign(**{"latency_ms@phone": [9.0, 6.0, 3.0], "energy_mj": [1.0, 2.0, 3.0]})
    text = io.StringIO()
    Console(file=text, width=100).print(front_table(frame, also=["energy_mj"]))
    lines = text.getvalue().splitlines()
    assert "phone" in " ".join(lines[:3])
    assert "energy mj" in " ".join(lines[:3])
    assert "9.00" in lines[3]


def test_what_is_told_of_a_metric_that_is_not_shown_says_of_which() -> None:
    frame = front(1).assign(latency_measured_ms=[2.0], prefill_measured_ms=[9.0])
    for shown, latency in ((frame, False), (frame.drop(columns="latency_ms"), True)):
        text = io.StringIO()
        Console(file=text, width=200).print(front_table(shown))
        assert ("Latency:" in text.getvalue(), "Prefill:" in text.getvalue()) == (latency, True)


def test_a_picture_of_a_space_without_resolution(tmp_path: Path) -> None:
    frame = front(3)
    frame["arch"] = [json.dumps({"op": "skip"})] * 3
    save_plot(Picture(frame, "latency_ms", "top1", "title"), tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text().lstrip().startswith("<?xml")


def test_thinning_keeps_both_ends_and_says_so() -> None:
    assert thinned(0) == []
    assert thinned(3, 5) == [0, 1, 2]
    kept = thinned(100, 7)
    assert (kept[0], kept[-1], len(kept)) == (0, 99, 7)


def test_table_fits_80_columns_and_says_what_it_leaves_out() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(front_table(front(100)))
    lines = console.export_text().splitlines()
    assert "16 of 100 subnets" in lines[-1]
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[0] == "1"
    assert lines[-2].split()[0] == "100"


@pytest.mark.parametrize("name", ["ofa_proxyless_w1.3", "ofa_resnet50"])
def test_every_space_has_a_table(name: str) -> None:
    space = get_space(name)
    frame = pareto_frame(space.decode_many(space.sample(2, np.random.default_rng(0))), {"top1": np.array([70.0, 71.0])})
    text = io.StringIO()
    Console(file=text, width=80).print(front_table(frame))
    assert "71.00" in text.getvalue()


def test_provenance_reads_back(tmp_path: Path) -> None:
    csv = tmp_path / "front.csv"
    write_provenance({"seed": 3, "budgets": {"latency_ms": 20.0}}, provenance_path(csv))
    facts = read_provenance(csv)
    assert facts["seed"] == 3
    assert facts["budgets"] == {"latency_ms": 20.0}
    assert "hwnas" in facts["versions"]
    assert read_provenance(tmp_path / "other.csv") == {}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema": 99}', "[" * 100_000])
def test_foreign_provenance_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "front.json").write_text(text)
    with pytest.raises(DataError):
        read_provenance(tmp_path / "front.csv")


def test_hash_of_a_folder_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("1")
    before = file_hash(tmp_path, tmp_path.rglob("*"))
    assert before == file_hash(tmp_path, tmp_path.rglob("*"))
    (tmp_path / "x").rename(tmp_path / "x.txt")
    after = file_hash(tmp_path, tmp_path.rglob("*"))
    assert after != before
    (tmp_path / "z.jsonl").write_text("1")
    assert file_hash(tmp_path, tmp_path.rglob("*.txt")) == after
