"""The HTML page as text: well formed, complete, self-contained, and inert whatever is written in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.errors import DataError
from hwnas.report import Picture, html_page, write_html
from hwnas.report._html import MOST_DRAWN
from tests.report.page import Page, facts, page_of, picture
from tests.report.test_csv import front

HOSTILE = '</script><script>window.broken=1</script><img src=x onerror="window.broken=1">&lt;\'"$title ${x}'


def test_a_front_of_thousands_is_thinned_and_keeps_what_was_measured() -> None:
    frame = front(12)
    frame = frame.iloc[np.arange(3 * MOST_DRAWN) % 12].assign(row=np.arange(1, 3 * MOST_DRAWN + 1))
    measured = [1, 2, 3, 4, 2 * MOST_DRAWN]
    frame["latency_measured_ms"] = np.where(frame["row"].isin(measured), frame["latency_ms"], np.nan)
    page = page_of(picture(frame=frame))
    rows = page.data["rows"]
    assert rows == sorted(set(rows))
    assert {1, 3 * MOST_DRAWN, *measured} <= set(rows)
    assert MOST_DRAWN <= len(rows) <= MOST_DRAWN + len(measured)
    assert sum(value is not None for value in page.data["values"]["latency_measured_ms"]) == len(measured)
    assert "6,000 Pareto-optimal subnets" in page.words
    assert f"{len(rows):,} of them are drawn" in page.words


def test_holds_every_number_of_the_front() -> None:
    shown = picture()
    data = page_of(shown).data
    assert data["rows"] == shown.frame["row"].tolist()
    for name in ("top1", "top1_std", "latency_ms", "macs", "params"):
        np.testing.assert_allclose(data["values"][name], shown.frame[name], rtol=1e-6)
    assert data["cloud"]["top1"] == pytest.approx(shown.sample["top1"].tolist(), rel=1e-6)
    assert data["budgets"] == {"latency_ms": 20.0}
    assert data["trace"] == [[1000, 9.0], [2000, 11.5], [4321, 12.5]]
    kernels = next(g for g in data["genes"] if g["key"] == "ks")
    for codes, cell, depths in zip(
        kernels["codes"], shown.frame["arch"], (json.loads(a)["d"] for a in shown.frame["arch"]), strict=True
    ):
        wanted = [k if p % 4 < depths[p // 4] else None for p, k in enumerate(json.loads(cell)["ks"])]
        assert [None if c < 0 else kernels["choices"][c] for c in codes] == wanted


def test_says_where_its_numbers_come_from() -> None:
    words = page_of(picture()).words
    assert "predicted, not measured, by ours.safetensors (gp); fitted on train.csv" in words
    assert "latency table toy" in words
    assert "hwnas search --latency 20ms" in words
    assert "Top-1 (%) up, Latency (ms) down" in words
    assert "1.0 × 10²⁰" in words
    assert "nsga2, seed 7" in words
    assert "4,321" in words


@pytest.mark.parametrize(
    ("evaluator", "options"),
    [
        (None, ""),
        ({"supernet": "digits", "data": "digits"}, ""),
        ({"supernet": "own.safetensors", "data": "/my photos"}, " --data '/my photos'"),
        (
            {
                "supernet": "t.safetensors",
                "data": "/t",
                "columns": {"text": "words", "pair": "text_pair", "label": "mood"},
            },
            " --data /t --text-column words --label-column mood",
        ),
    ],
)
def test_what_a_row_is_exported_with_names_the_data_that_were_measured_on(
    evaluator: dict[str, Any] | None, options: str
) -> None:
    page = page_of(picture(4), {**facts(), "evaluator": evaluator})
    assert page.data["dataOptions"] == options
    assert "`hwnas export ${data.csv} --row ${data.rows[i]}${data.dataOptions}`" in page.raw["script"]


def test_loads_nothing_and_runs_only_its_own_script() -> None:
    text = html_page(picture(), facts(), "front.csv")
    page = Page(text)
    assert not [tag for tag, attrs in page.tags if {"src", "href", "action", "srcset"} & set(attrs) or tag == "link"]
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xhtml",
    }
    assert "@import" not in text
    assert "url(" not in text
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    digest = base64.b64encode(hashlib.sha256(page.raw["script"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [a for _, a in page.tags for key in a if key.startswith("on") or key == "style"]


def test_strings_stay_strings_wherever_they_come_from() -> None:
    frame = front(4)
    frame["note"] = [HOSTILE] * 4
    frame["arch"] = [json.dumps({"op": HOSTILE, HOSTILE: [1, 2]})] * 4
    known = {
        **facts(),
        "command": HOSTILE,
        "searcher": {"name": HOSTILE},
        "predictor": {"name": HOSTILE, "kind": HOSTILE},
        "device": {"name": HOSTILE, "id": HOSTILE},
        "space": {"name": HOSTILE, "restricted": {HOSTILE: [HOSTILE]}},
    }
    plain = page_of(picture(4))
    page = page_of(picture(frame=frame, title=HOSTILE), known, csv=HOSTILE)
    assert [t for t, _ in page.tags if t == "script"] == [t for t, _ in plain.tags if t == "script"]
    assert "img" not in {t for t, _ in page.tags}
    assert page.raw["script"] == plain.raw["script"]
    assert page.data["texts"]["note"] == [HOSTILE] * 4
    assert page.data["csv"] == HOSTILE
    assert " ".join(HOSTILE.split()) in page.words


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=30))
def test_any_text_survives(text: str) -> None:
    frame = front(2)
    frame["note"] = [text, "x"]
    assert page_of(picture(frame=frame)).data["texts"]["note"] == [text, "x"]


@pytest.mark.parametrize("n", [1, 2])
def test_a_page_of_hardly_anything(n: int) -> None:
    frame = front(n)[["row", "macs", "arch"]]
    page = Page(html_page(Picture(frame, "macs", "macs", "title"), {}, "p.csv"))
    assert len(page.data["rows"]) == n
    assert "the JSON that a search writes beside the CSV is missing" in page.words


def test_measurements_stand_beside_their_predictions() -> None:
    frame = front(6)
    frame["latency_measured_ms"] = [1.5, None, *frame["latency_ms"][2:]]
    frame["top1_measured"] = frame["top1"] - 0.5
    page = page_of(picture(frame=frame))
    assert page.data["pairs"] == [
        {"x": "latency_ms", "y": "latency_measured_ms", "band": 5.0},
        {"x": "top1", "y": "top1_measured", "band": None},
    ]
    assert page.data["values"]["latency_measured_ms"][:2] == [1.5, None]
    assert "5 of 6 subnets measured as well" in page.words


def test_same_front_same_bytes_and_unwritable_paths_are_refused(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_html(picture(), facts(), tmp_path / name, csv="front.csv")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    with pytest.raises(DataError):
        write_html(picture(), facts(), tmp_path)
