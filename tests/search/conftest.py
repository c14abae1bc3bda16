"""What tests of searchers share."""

from __future__ import annotations

import pytest

from hwnas.search.expensive import _linas


@pytest.fixture(autouse=True)
def short_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """LINAS looks less far ahead: what it promises does not depend on that, and `tests/e2e` looks as far as users do."""
    monkeypatch.setattr(_linas, "INNER_GENERATIONS", 4)
