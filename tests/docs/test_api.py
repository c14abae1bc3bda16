"""docs/api.md is what the docstrings say."""

from __future__ import annotations

import runpy

import hwnas
from tests.conftest import REPOSITORY


def test_the_page_is_generated_anew() -> None:
    made = runpy.run_path(str(REPOSITORY / "docs" / "make_api.py"))
    assert made["page"]() == made["PAGE"].read_text(encoding="utf-8"), "run: python docs/make_api.py"


def test_all_that_hwnas_offers_is_there() -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    assert all(f"### hwnas.{name}\n" in page for name in hwnas.__all__ if name != "__version__")
