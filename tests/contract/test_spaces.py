"""What every registered space must do: the kit of ``hwnas.testing``, and its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.errors import UnknownNameError
from hwnas.space import SearchSpace, get_space, space_names
from hwnas.supernet.onnx import elastic_file
from hwnas.testing import SPACE_CHECKS, Check
from tests.contract.vit import Vit


@pytest.fixture(params=[*space_names(), "vit", "onnx"])
def space(request: pytest.FixtureRequest, onnx_file: Path) -> SearchSpace:
    if request.param == "onnx":
        return elastic_file(onnx_file).space
    return Vit.search_space() if request.param == "vit" else get_space(request.param)


@pytest.mark.parametrize("check", SPACE_CHECKS)
def test_it_keeps_the_contract(check: Check, space: SearchSpace) -> None:
    check(space)


@pytest.mark.parametrize("name", space_names())
def test_it_is_found_by_its_name_and_built_once(name: str) -> None:
    assert get_space(name).name == name
    assert get_space(name) is get_space(name)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match=r"space 'ofa_mbv3_w1': there is no such space; did you mean 'ofa_mbv3_w1"
    ):
        get_space("ofa_mbv3_w1")
