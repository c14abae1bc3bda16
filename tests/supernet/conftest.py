"""The example supernet, which runs in milliseconds."""

from __future__ import annotations

import pytest

from hwnas.supernet import Supernet, get_supernet
from tests.conftest import REPOSITORY

OWN = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"


@pytest.fixture(scope="session")
def own_supernet() -> Supernet:
    return get_supernet(OWN).random(0)
