"""Files that commands are given, found and checked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.cli._inputs import find_predictor
from hwnas.errors import PredictorError
from hwnas.predictor import new_predictor, save_predictor
from hwnas.space import get_space


def test_a_predictor_of_another_metric_is_refused(tmp_path):
    space = get_space("digits")
    rng = np.random.default_rng(0)
    predictor = new_predictor("additive", space).fit(space.sample(40, rng), rng.normal(size=40))
    save_predictor(predictor, tmp_path / "top1.safetensors")
    assert find_predictor(space, str(tmp_path / "top1.safetensors")) is not None
    predictor.card = replace(predictor.card, metric="energy_mj")
    save_predictor(predictor, tmp_path / "energy.safetensors")
    with pytest.raises(PredictorError, match="it predicts energy_mj, not top1"):
        find_predictor(space, str(tmp_path / "energy.safetensors"))
