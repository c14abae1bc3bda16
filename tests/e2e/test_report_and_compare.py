"""``hwnas report --html`` and ``hwnas compare`` on searched fronts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from hwnas.cli import main
from tests.e2e.conftest import Hwnas
from tests.report.page import Page

QUICK = ("--population", 40, "--searcher", "random")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, table: Path, predictor: Path) -> Path:
    """A folder with the fronts of a longer and a shorter search."""
    made = tmp_path_factory.mktemp("searched")
    for name, generations in (("long", 30), ("short", 3)):
        search = ("search", "--latency", "8ms", "--device", table, "--predictor", predictor, *QUICK)
        with pytest.raises(SystemExit) as exit_:
            main([str(a) for a in (*search, "--generations", generations, "--out", made / f"{name}.csv")])
        assert exit_.value.code == 0
    return made


@pytest.fixture
def fronts(searched: Path, folder: Path) -> None:
    """Both in the working folder."""
    shutil.copytree(searched, folder, dirs_exist_ok=True)


@pytest.mark.usefixtures("fronts")
def test_a_page_beside_the_csv(hwnas: Hwnas) -> None:
    ran = hwnas("report", "long.csv", "--html")
    assert ran.code == 0, ran.err
    assert "wrote long.html" in ran.out
    data = Page(Path("long.html").read_text(encoding="utf-8")).data
    frame = pd.read_csv("long.csv")
    assert data["values"]["latency_ms"] == pytest.approx(frame["latency_ms"].tolist(), rel=1e-6)
    assert len(data["trace"]) > 1
    assert data["trace"][-1][0] == json.loads(Path("long.json").read_text())["evaluations"]
    assert any(-1 in codes for gene in data["genes"] for codes in gene["codes"])


@pytest.mark.usefixtures("fronts")
def test_a_page_by_name_and_beside_a_picture(hwnas: Hwnas) -> None:
    assert hwnas("report", "long.csv", "--out", "page.html").code == 0
    assert Path("page.html").is_file()
    ran = hwnas("report", "long.csv", "--html", "--out", "both.svg")
    assert "wrote both.svg, both.html" in ran.out
    assert Path("both.svg").is_file()
    assert Path("both.html").is_file()


@pytest.mark.usefixtures("fronts")
def test_two_fronts_compared(hwnas: Hwnas) -> None:
    ran = hwnas("compare", "long.csv", "short.csv", "--out", "c.png")
    assert ran.code == 0, ran.err
    assert "reference point top-1" in ran.out
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")
    ran = hwnas("compare", "long.csv", "short.csv", "--objectives", "top1,macs", "--json")
    found = json.loads(ran.out)
    assert found["objectives"] == ["top1", "macs"]
    assert found["fronts"]["long"]["hypervolume"] > found["fronts"]["short"]["hypervolume"]


@pytest.mark.usefixtures("fronts")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("long.csv",), "two or more"),
        (("long.csv", "long.csv"), "given twice"),
        (("long.csv", "absent.csv"), "check the path"),
        (("long.csv", "short.csv", "--out", "c.gif"), "a picture ends in"),
        (("long.csv", "short.csv", "--objectives", "top1,energy"), "no column energy"),
        (("long.csv", "short.csv", "--objectives", "top1,,macs"), "write --objectives top1,macs"),
    ],
)
def test_what_cannot_be_compared(hwnas: Hwnas, arguments: tuple[str, ...], said: str) -> None:
    ran = hwnas("compare", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) == 1
