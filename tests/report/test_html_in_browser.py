"""The HTML page in headless Chromium: it draws, answers the keyboard and the pointer, and fits a phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.report import html_page
from hwnas.report._colours import colours
from tests.report.page import facts, picture
from tests.report.test_csv import front
from tests.report.test_html import HOSTILE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (apt-get install chromium)")

# What a reader does, and what then stands on the page: as attributes of the root.
ACTIONS = """
const seen = document.documentElement.dataset;
const key = (node, name) => node.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const slider = document.querySelector("#front-chart [role=slider]");
const row = () => document.querySelector("#detail h3").firstChild.textContent;
seen.first = row();
key(slider, "Home"); seen.home = row(); seen.value = slider.getAttribute("aria-valuetext");
key(slider, "End"); seen.end = row();
const grip = document.querySelector("#trade-chart [role=slider]");
for (let i = 0; i < 10; i++) key(grip, "ArrowUp");
seen.kept = document.querySelectorAll("#list tbody tr").length;
seen.faded = document.querySelectorAll("#front-chart .member.out").length;
key(grip, "Escape");
const chips = [...document.querySelectorAll("#legend button")];
seen.legend = chips.map((chip) => chip.textContent.trim()).join(" ");
seen.colours = chips.map((chip) => getComputedStyle(chip.querySelector("i")).backgroundColor).join(";");
seen.members = [...new Set([...document.querySelectorAll("#front-chart .member")].map((m) => getComputedStyle(m).fill))].join(";");
if (chips.length) { chips[0].click(); seen.chosen = document.querySelectorAll("#list tbody tr").length; chips[0].click(); }
const apart = (boxes) => boxes.every((a, i) => boxes.slice(i + 1).every((b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top + 2 || b.bottom <= a.top + 2));
seen.axes = [...document.querySelectorAll("#trade-chart .grip")].map((g) => g.getAttribute("aria-label").split(":")[0]).join(";");
seen.apart = apart([...document.querySelectorAll("#trade-chart text")].map((t) => t.getBoundingClientRect()));
const plot = slider.getBoundingClientRect();
seen.inside = [...document.querySelectorAll("#front-chart text")].filter((t) => {
  const box = t.getBoundingClientRect();
  return !t.classList.contains("mark") && box.left > plot.left && box.right < plot.right && box.top > plot.top && box.bottom < plot.bottom;
}).length;
seen.front = Math.max(...[...document.querySelectorAll("#front-chart .member")].map((m) => m.getBoundingClientRect().right)) - plot.left;
seen.plot = plot.width;
const painting = document.querySelector("#trade-chart canvas");
seen.painted = painting.getContext("2d").getImageData(0, 0, painting.width, painting.height).data.some((value) => value > 0);
const rows = document.querySelector("#list");
rows.scrollTop = rows.scrollHeight; rows.dispatchEvent(new Event("scroll"));
seen.listed = document.querySelectorAll("#list tbody tr").length;
seen.limit = (document.querySelector("#front-chart text.limit") || {}).textContent;
seen.restored = document.querySelectorAll("#list tbody tr").length;
document.querySelectorAll("#thirds button")[1].click();
seen.third = document.querySelectorAll("#list tbody tr").length;
document.querySelectorAll("#thirds button")[0].click();
document.querySelectorAll("#list tbody tr")[3].click(); seen.clicked = row();
seen.cloud = getComputedStyle(document.querySelector("#legend .cloud")).display;
seen.numbers = Math.min(...[...document.querySelectorAll("#detail dd")].map((cell) => cell.clientWidth));
seen.width = innerWidth; seen.content = document.documentElement.scrollWidth;
"""


def opened(text: str, folder: Path) -> dict[str, str]:
    """The root's ``data-`` attributes once the page has run, and ``dom``, the whole document."""
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder / 'profile'}", "--window-size=1280,900", "--virtual-time-budget=2000"),
            *("--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    root = re.search(r"<html[^>]*>", ran.stdout)
    assert root is not None, ran.stderr[-2000:]
    return {**dict(re.findall(r'data-([\w-]+)="([^"]*)"', root[0])), "dom": ran.stdout}


# A window has at least 500 pixels, a frame in it any number.
FRAME = """<!doctype html><html><body><iframe width="{width}" height="900" style="border: 0" srcdoc="{page}"></iframe>
<script>onload = () => Object.assign(document.documentElement.dataset, frames[0].document.documentElement.dataset);</script>
</body></html>"""


def acting(text: str, width: int) -> str:
    """The page at a width, with :data:`ACTIONS` at its end, which its own policy would not run."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    text = text.replace("</body>", f"<script>{ACTIONS}</script></body>")
    return FRAME.format(width=width, page=html.escape(text))


SIZES = ["128", "160", "192", "224"]


def many_columns(n: int) -> Any:
    """A front as a search writes it: intervals, costs, several image sizes."""
    frame = front(n)
    frame["latency_low_ms"], frame["latency_high_ms"] = frame["latency_ms"] * 0.97, frame["latency_ms"] * 1.03
    frame["top1_std"] = 0.1
    frame["memory_bytes"] = np.linspace(4.1e6, 1.05e6, n).round()
    archs = [json.loads(arch) for arch in frame["arch"]]
    frame["arch"] = [json.dumps({**arch, "r": int(SIZES[3 - 4 * i // n])}) for i, arch in enumerate(archs)]
    return frame


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("n", [10, 400])
def test_nothing_lies_on_anything_else(tmp_path: Path, width: int, n: int) -> None:
    seen = opened(acting(html_page(picture(frame=many_columns(n)), facts(), "p.csv"), width), tmp_path)
    assert seen["ready"] == "yes"
    assert "error" not in seen
    assert seen["legend"].split() == SIZES
    assert sorted(seen["colours"].split(";")) == sorted(seen["members"].split(";"))
    assert int(seen["chosen"]) in (n // 4, n // 4 + 1)
    assert "Latency" in seen["axes"].split(";")
    assert not any("at least" in axis or "at most" in axis or "±" in axis for axis in seen["axes"].split(";"))
    assert seen["apart"] == "true"
    assert seen["painted"] == "true"
    assert int(seen["listed"]) == min(n, 200)  # a hundred rows, and a hundred more once they are scrolled to
    assert seen["inside"] == "0"
    assert int(seen["content"]) <= width


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_a_column_with_a_long_name_leaves_room_for_its_numbers(tmp_path: Path, width: int) -> None:
    frame = front(30)
    frame[HOSTILE.replace(" ", "_")], frame["note"] = 1.5, HOSTILE
    seen = opened(acting(html_page(picture(frame=frame, sample={}), facts(), "p.csv"), width), tmp_path)
    assert int(seen["numbers"]) > 40
    assert int(seen["content"]) <= width
    assert seen["cloud"] == "none"


def test_a_far_bound_does_not_squeeze_the_front(tmp_path: Path) -> None:
    for kind, bound, words in (
        ("budgets", 400.0, "budget 400 ms, beyond"),
        ("budgets", 22.0, "budget 22 ms"),
        ("floors", -400.0, "400 ms, below these"),
        ("floors", 1.0, "at least 1 ms"),
    ):
        bounds = {"budgets": {}, kind: {"latency_ms": bound}}
        seen = opened(acting(html_page(picture(30, sample={}, **bounds), facts(), "p"), 1200), tmp_path)
        assert words in html.unescape(seen["limit"])
        assert float(seen["front"]) > 0.85 * float(seen["plot"])


def test_a_third_objective_colours_page_and_picture_alike(tmp_path: Path) -> None:
    frame = front(30).assign(params=np.linspace(9e6, 3e6, 30))
    shown = picture(frame=frame, z="params")
    seen = opened(acting(html_page(shown, facts(), "p.csv"), 1200), tmp_path)
    assert seen["legend"] == ""
    found = colours(frame, "params", {})
    assert len(set(seen["members"].split(";"))) == len(set(found.index.tolist()))


@pytest.mark.parametrize("width", [360, 1200])
def test_draws_answers_and_fits(tmp_path: Path, width: int) -> None:
    shown = picture(30)
    frame = shown.frame
    seen = opened(acting(html_page(shown, facts(), "front.csv"), width), tmp_path)
    assert seen["ready"] == "yes"
    assert "error" not in seen
    assert seen["first"] == "Row 1"
    assert seen["home"] == f"Row {frame['row'].iloc[frame['latency_ms'].argmin()]}"
    assert seen["end"] == f"Row {frame['row'].iloc[frame['latency_ms'].argmax()]}"
    assert f"{frame['latency_ms'].min():.2f} ms" in seen["value"]
    # Ten steps of five percent keep the better half of the first axis, accuracy.
    better = (frame["top1"] >= (frame["top1"].min() + frame["top1"].max()) / 2).sum()
    assert abs(int(seen["kept"]) - better) <= 1
    assert int(seen["faded"]) == 30 - int(seen["kept"])
    assert seen["restored"] == "30"
    assert seen["third"] in ("10", "11")
    assert seen["clicked"] == "Row 4"
    assert int(seen["width"]) == width
    assert int(seen["content"]) <= width


def test_runs_under_its_own_policy_and_nothing_else_does(tmp_path: Path) -> None:
    frame = front(12)
    frame["note"] = [HOSTILE] * 12
    frame["latency_measured_ms"] = frame["latency_ms"] * 1.02
    text = html_page(picture(frame=frame, title=HOSTILE), {**facts(), "command": HOSTILE}, "p.csv")
    probe = "<script>document.documentElement.dataset.foreign = 'ran'</script></body>"
    seen = opened(text.replace("</body>", probe), tmp_path)
    assert seen["ready"] == "yes"
    assert "error" not in seen
    assert "foreign" not in seen
    assert seen["dom"].count('class="inside"') >= 12
    assert "<img" not in seen["dom"]


@pytest.mark.parametrize("n", [1, 2])
def test_draws_fronts_of_hardly_anything(tmp_path: Path, n: int) -> None:
    seen = opened(html_page(picture(n, sample={}, budgets={}), {}, "p.csv"), tmp_path)
    assert seen["ready"] == "yes"
    assert "error" not in seen
    assert "NaN" not in seen["dom"]
