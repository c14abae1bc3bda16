"""Write a front as a single HTML page that needs neither network nor other files."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from hwnas.files import replacing
from hwnas.report._html_data import page_data
from hwnas.report._html_words import Words
from hwnas.report._measured import MEASURED
from hwnas.report._plot import Picture
from hwnas.report._table import thinned
from hwnas.space import SearchSpace

SCRIPTS = ("base.js", "legend.js", "front.js", "parallel.js", "genes.js", "lines.js", "table.js")
"""Scripts in order; each uses those before it."""

MOST_DRAWN = 2000
"""Most rows that the page draws. Fronts of three objectives may have tens of thousands, too many for a browser."""


def write_html(
    picture: Picture,
    facts: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    csv: str = "pareto.csv",
    space: SearchSpace | None = None,
) -> None:
    """Write the page of a front, atomically. The same front and provenance give the same bytes.

    Args:
        picture: the picture of the front.
        facts: its provenance (see :func:`hwnas.report.read_provenance`); may be empty.
        path: the file.
        csv: name of the front's CSV in the page's commands.
        space: the searched space; without it the page does not know which layers a depth skips.

    Raises:
        DataError: the path cannot be written.
    """
    page = html_page(picture, facts, csv, space)
    with replacing(path) as part:
        part.write_text(page, encoding="utf-8")


def html_page(picture: Picture, facts: Mapping[str, Any], csv: str, space: SearchSpace | None = None) -> str:
    """The page as text. See :func:`write_html`."""
    words, drawn = Words(picture, facts), replace(picture, frame=_drawn(picture.frame))
    script = "\n".join(_part(name) for name in SCRIPTS)
    return Template(_part("page.html")).substitute(
        # The page may run only this script, and load nothing.
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_digest(script)}'",
        title=html.escape(picture.title),
        lede=html.escape(words.lede(len(drawn.frame))),
        sources=_definitions(words.sources()),
        provenance=_definitions(words.provenance()),
        command=html.escape(str(facts.get("command") or f"hwnas report {csv} --html")),
        csv=html.escape(csv),
        style=_part("page.css"),
        data=_inert(page_data(drawn, facts, csv, space)),
        script=script,
    )


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """At most ``MOST_DRAWN`` rows, evenly thinned, plus all measured ones."""
    chosen = np.zeros(len(frame), dtype=bool)
    chosen[thinned(len(frame), MOST_DRAWN)] = True
    if MEASURED in frame.columns:
        chosen |= frame[MEASURED].notna().to_numpy()
    return frame[chosen]


def _part(name: str) -> str:
    return (files("hwnas.report") / "page" / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode()


def _inert(data: Mapping[str, Any]) -> str:
    """JSON in which no string can be mistaken for HTML markup."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _definitions(entries: Sequence[tuple[str, str]]) -> str:
    rows = (f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in entries)
    return "\n".join(rows)
