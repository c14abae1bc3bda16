"""The scripts in examples/ run, and write what they say."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from hwnas.study import Front

pytestmark = pytest.mark.usefixtures("desk")


def _run(name: str, *arguments: str) -> None:
    path = f"examples/{name}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [path, *arguments])
        runpy.run_path(path, run_name="__main__")


def test_own_metric(capsys: pytest.CaptureFixture[str]) -> None:
    _run("own_metric.py")
    front = Front.load("energy_front.csv")
    assert front.provenance.directions == {"top1": "max", "energy_mj": "min"}
    assert (front.frame["energy_mj"] <= 5.0).all()
    assert front.frame["energy_mj"].is_monotonic_decreasing
    assert f"{len(front)} subnets" in capsys.readouterr().out


def test_ask_tell(capsys: pytest.CaptureFixture[str]) -> None:
    _run("ask_tell.py")
    front = Front.load("asked.csv")
    assert front.provenance.evaluations == 28  # its first batch is of 20: 8, 8 and 4, then 8
    assert front.frame["top1"].max() > 90
    assert "round 4: 8 evaluated" in capsys.readouterr().out


def test_own_supernet() -> None:
    _run("own_supernet.py", "own.pth")
    assert Path("own.pth").stat().st_size > 100_000


@pytest.mark.parametrize("name", ["classify_images.py", "classify_texts.py", "write_text.py", "own_supernet.py"])
def test_what_needs_arguments_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _run(name)
    assert ended.value.code == 2
    assert f"usage: python examples/{name} " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "more"),
    [("classify_images.py", ["a.jpg"]), ("classify_texts.py", ["a text"]), ("write_text.py", ["a", "4"])],
)
def test_a_folder_that_is_not_there_is_said_in_one_line(name: str, more: list[str]) -> None:
    with pytest.raises(
        SystemExit, match=r"^gone/\w+\.\w+: there is no such file; name a folder that hwnas export wrote"
    ):
        _run(name, "gone", *more)


def test_how_many_tokens_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _run("write_text.py", "gone", "a", "many")
    assert "usage: python examples/write_text.py " in capsys.readouterr().err
