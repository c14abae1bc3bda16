"""Reading the HTML page back, for its tests."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import numpy as np

from hwnas.report import Picture, html_page
from hwnas.space import get_space
from tests.report.test_csv import front

SPACE = get_space("ofa_mbv3_w1.0")
_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags in order, text outside scripts, and the data; complains of tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.raw: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style"):
            kind = self.tags[-1][1].get("id") or self.tags[-1][0]
            self.raw[kind] = self.raw.get(kind, "") + data
        else:
            self.text.append(data)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw["data"])
        return found

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def facts() -> dict[str, Any]:
    """Provenance as a search writes it."""
    return {
        "schema": 1,
        "created": "2026-01-02T03:04:05+00:00",
        "versions": {"hwnas": "1.2.3"},
        "command": "hwnas search --latency 20ms",
        "objectives": ["top1", "latency_ms"],
        "budgets": {"latency_ms": 20.0},
        "searcher": {"name": "nsga2", "seed": 7},
        "evaluations": 4321,
        "hypervolume": {"value": 12.5, "reference": {"top1": 60.0, "latency_ms": 20.0}},
        "trace": [[1000, 9.0], [2000, 11.5], [4321, 12.5]],
        "space": {"name": SPACE.name, "fingerprint": SPACE.fingerprint, "subnets": 10**20, "restricted": {"r": [224]}},
        "device": {
            "name": "latency table toy",
            "id": "toy",
            "sha256": "ab" * 32,
            "method": "measured",
            "validation": None,
        },
        "predictor": {"name": "ours.safetensors", "kind": "gp", "sha256": "cd" * 32, "data": [{"name": "train.csv"}]},
        "wall_s": 1.5,
    }


def picture(n: int = 12, **changes: Any) -> Picture:
    """A made-up front with random subnets behind it."""
    rng = np.random.default_rng(1)
    sample = {"latency_ms": rng.uniform(2, 60, 50), "top1": rng.uniform(50, 80, 50)}
    settings = {"title": "space on toy", "sample": sample, "budgets": {"latency_ms": 20.0}, **changes}
    return Picture(settings.pop("frame", front(n)), "latency_ms", "top1", **settings)


def page_of(picture: Picture, known: dict[str, Any] | None = None, csv: str = "front.csv") -> Page:
    return Page(html_page(picture, facts() if known is None else known, csv, SPACE))
