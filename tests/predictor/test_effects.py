"""Effects of changing one gene, against predicting every neighbour."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.predictor import _mlp, get_predictor, new_predictor, predictor_kinds
from hwnas.space import get_space, macs_cost, params_cost

EXACT = ("additive", "ridge")
"""Linear in features whose changes are known exactly; the others follow a gradient."""


def by_prediction(model, space, x):
    """``(n, choices)``: predictions of all neighbours of complete rows, less that of the row."""
    found = np.empty((len(x), space.starts[-1]))
    now = model.predict(space.canonical(x))
    for gene in range(space.n_genes):
        for choice in range(len(space.genes[gene].choices)):
            neighbour = x.copy()
            neighbour[:, gene] = choice
            found[:, space.starts[gene] + choice] = model.predict(space.canonical(neighbour)) - now
    return found


def bumpy(space, x):
    """Not additive, and not linear in the features."""
    log_macs = np.log(macs_cost(space)(x) / 1e8)
    return (
        75 + 1.5 * log_macs - 0.4 * log_macs**2 + 0.3 * np.sin(params_cost(space)(x) / 1e6) + 0.1 * (x[:, 0] == x[:, 5])
    )


@pytest.mark.parametrize("kind", predictor_kinds())
@pytest.mark.parametrize("name", ["ofa_mbv3_w1.0", "ofa_resnet50", "digits"])
def test_effects_are_what_neighbours_are_predicted_to_gain(kind, name, monkeypatch):
    monkeypatch.setattr(_mlp, "STEPS", 150)
    space, rng = get_space(name), np.random.default_rng(0)
    x = space.sample(90, rng, distinct_uniform=False)
    model = new_predictor(kind, space).fit(x, bumpy(space, x))
    model.extend_coverage(np.array([[0] * space.n_genes, [len(g.choices) - 1 for g in space.genes]], dtype=np.int16))
    rows = space.completed(space.sample(6, rng), rng)
    effects, expected = model.effects(rows), by_prediction(model, space, rows)
    assert effects.shape == expected.shape
    if kind in EXACT:
        assert effects == pytest.approx(expected, abs=1e-9)
    assert np.corrcoef(effects.ravel(), expected.ravel())[0, 1] > 0.98
    assert effects[np.arange(6)[:, None], space.starts[:-1] + rows] == pytest.approx(0, abs=1e-9)


def test_effects_of_the_predictor_that_ships():
    space, rng = get_space("ofa_mbv3_w1.0"), np.random.default_rng(3)
    model = get_predictor(None, space)
    rows = space.completed(space.sample(10, rng), rng)
    effects, expected = model.effects(rows), by_prediction(model, space, rows)
    assert np.corrcoef(effects.ravel(), expected.ravel())[0, 1] > 0.995
    assert np.sqrt(np.mean((effects - expected) ** 2)) < 0.05 * expected.std()


def test_spaces_of_names_have_effects():
    space, rng = get_space("nasbench201"), np.random.default_rng(0)
    x = space.sample(60, rng)
    model = new_predictor("gp", space).fit(x, 80 + (x == 3).sum(axis=1) - (x[:, 0] == 0))
    rows = space.sample(8, rng)
    expected = by_prediction(model, space, rows)
    assert np.corrcoef(model.effects(rows).ravel(), expected.ravel())[0, 1] > 0.9
