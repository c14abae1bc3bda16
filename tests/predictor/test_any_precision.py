"""Predictors of fp32 used for the same subnets in any precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.errors import PredictorError
from hwnas.graph import mixed_space
from hwnas.predictor import get_predictor, in_any_precision, new_predictor, save_predictor
from hwnas.space import get_space, macs_cost

PLAIN = get_space("digits").restrict(r=[8, 16])
MIXED = mixed_space(PLAIN, "fp32+int8")
X = MIXED.sample(60, np.random.default_rng(0))
COLUMNS = PLAIN.n_genes


@pytest.mark.parametrize("kind", ["additive", "gp"])
def test_precisions_change_nothing(kind: str) -> None:
    x = X[:, :COLUMNS]
    plain = new_predictor(kind, PLAIN).fit(x, np.log(macs_cost(PLAIN)(x)))
    found = in_any_precision(plain, MIXED)
    np.testing.assert_array_equal(found(X), plain(x))
    np.testing.assert_array_equal(found.predict_std(X), plain.predict_std(x))
    effects = found.effects(X)
    assert effects.shape == (len(X), MIXED.starts[-1])
    np.testing.assert_array_equal(effects[:, : PLAIN.starts[-1]], plain.effects(x))
    assert not effects[:, PLAIN.starts[-1] :].any()
    total = found.additive()
    if kind == "additive":
        assert total is not None
        np.testing.assert_allclose(total(X), plain(x))
    assert in_any_precision(plain, PLAIN) is plain


def test_a_file_is_of_the_space_itself_or_of_the_one_without_precisions(tmp_path: Path) -> None:
    targets = np.log(macs_cost(MIXED)(X)) - X[:, COLUMNS:].sum(axis=1)
    for name, space, x in (("plain", PLAIN, X[:, :COLUMNS]), ("mixed", MIXED, X)):
        save_predictor(new_predictor("ridge", space).fit(x, targets), tmp_path / f"{name}.safetensors")
    plain, mixed = (get_predictor(tmp_path / f"{name}.safetensors", MIXED) for name in ("plain", "mixed"))
    lowered = X.copy()
    lowered[:, COLUMNS:] = 0
    np.testing.assert_array_equal(plain(X), plain(lowered))
    assert (mixed(X) < mixed(lowered)).mean() > 0.9
    with pytest.raises(PredictorError, match=r"it belongs to space digits-fp32\+int8, not digits"):
        get_predictor(tmp_path / "mixed.safetensors", PLAIN)
