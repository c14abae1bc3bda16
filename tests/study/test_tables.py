"""Files that commands are given, found and checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.errors import DataError
from hwnas.metric import get_metric
from hwnas.predictor import new_predictor, save_predictor
from hwnas.space import get_space
from hwnas.study._predictor import find_predictor


def test_a_predictor_may_tell_another_metric(tmp_path):
    space = get_space("digits")
    rng = np.random.default_rng(0)
    predictor = new_predictor("additive", space).fit(space.sample(40, rng), rng.normal(size=40))
    save_predictor(predictor, tmp_path / "top1.safetensors")
    found = find_predictor(space, str(tmp_path / "top1.safetensors"))
    assert found is not None
    assert found.it.card.as_metric() == get_metric("top1")
    predictor.card = replace(predictor.card, metric="energy_mj")
    with pytest.raises(DataError, match="write energy_mj:max or energy_mj:min"):
        predictor.card.as_metric()
    predictor.card = replace(predictor.card, direction="min")
    save_predictor(predictor, tmp_path / "energy.safetensors")
    found = find_predictor(space, str(tmp_path / "energy.safetensors"))
    assert found is not None
    assert found.it.card.as_metric() == get_metric("energy_mj", "min")
