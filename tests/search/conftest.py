"""What tests of searchers share."""

from __future__ import annotations

import pytest

from hwnas.search.expensive import _linas


@pytest.fixture(autouse=True)
def short_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter search on predictions in LINAS; `tests/e2e` runs the full length."""
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)
