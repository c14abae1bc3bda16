"""What every supernet must do, whatever its family: with random weights, since few checkpoints ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.supernet import Supernet, random_supernet, supernet_names
from hwnas.testing import SUPERNET_CHECKS, Check
from tests.conftest import REPOSITORY

EXAMPLE = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"
TRANSFORMER = f"{REPOSITORY / 'tests' / 'contract' / 'vit.py'}:Vit"


@pytest.fixture(
    scope="module", params=[*supernet_names(), EXAMPLE, TRANSFORMER, "onnx"], ids=lambda name: name.rpartition(":")[2]
)
def supernet(request: pytest.FixtureRequest, onnx_file: Path) -> Supernet:
    return random_supernet(str(onnx_file) if request.param == "onnx" else request.param)


@pytest.mark.parametrize("check", SUPERNET_CHECKS)
def test_it_keeps_the_contract(check: Check, supernet: Supernet) -> None:
    check(supernet)
