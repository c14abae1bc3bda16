"""Expected results on samples that a subnet was not shown."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from hwnas.search import Items
from tests.search.race.samples import told_right


def first_shown(items: Items, n: int, right: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which samples are shown first to all of some subnets."""
    shown = np.zeros(right.shape, dtype=bool)
    shown[:, items.order(items.good, np.random.default_rng(seed).permutation(right.shape[1]))[:n]] = True
    return shown


@pytest.mark.parametrize("uneven", [False, True])
def test_bounds_cover_what_they_say(uneven: bool) -> None:
    """Of subnets that took no part in the model, no more than said tell more right than the upper bound has it: who does may
    be dropped by mistake. That holds where answers are not made as the model has it, too."""
    for n in (60, 180):
        errors, stds = [], []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            right = told_right(
                rng, np.concatenate([np.linspace(-0.5, 2.5, 8), rng.uniform(0.5, 3, 25)]), 600, uneven=uneven
            )
            items = Items.of(right[:8])
            total, std, _ = items.expected(right[8:], first_shown(items, n, right[8:], seed))
            errors += (right[8:].sum(axis=1) - total).tolist()
            stds += std.tolist()
        for confidence in (0.8, 0.9, 0.95):
            beyond = np.array(errors) > NormalDist().inv_cdf(confidence) * np.array(stds)
            assert beyond.mean() <= 1.2 * (1 - confidence)
        assert np.std(errors) < 2 * np.mean(stds)


def test_samples_come_first_that_tell_subnets_apart() -> None:
    rng = np.random.default_rng(0)
    right = told_right(rng, np.linspace(0, 2, 8), 400)
    items, ties = Items.of(right), np.random.default_rng(1).permutation(400)
    order = items.order(items.good, ties)
    assert sorted(order) == list(range(400))
    disputed = np.any(right, axis=0) & ~np.all(right, axis=0)
    assert disputed[order[:60]].all()
    assert not disputed[order[-60:]].any()
    assert (items.order(items.good, ties[::-1]) != order).any()
    weak = items.order(float(items.ability.min()) - 2, ties)
    assert items.difficulty[weak[:60]].mean() < items.difficulty[order[:60]].mean()


def test_it_is_far_sharper_than_the_share_told_right() -> None:
    """Errors of the expected accuracy after a fifth of the samples, against those of the first fifth at random."""
    errors, plain = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        right = told_right(rng, np.concatenate([np.linspace(-0.5, 2.5, 8), rng.uniform(0.5, 3, 30)]), 600)
        items = Items.of(right[:8])
        errors += (items.expected(right[8:], first_shown(items, 120, right[8:]))[0] - right[8:].sum(axis=1)).tolist()
        for answers in right[8:]:
            plain.append(600 * answers[rng.permutation(600)[:120]].mean() - answers.sum())
    assert 2 * np.std(errors) < np.std(plain)


def test_what_all_tell_right_or_none_keeps_the_model_finite() -> None:
    for right in (np.ones((8, 300), bool), np.zeros((8, 300), bool)):
        items = Items.of(right)
        assert np.isfinite(items.difficulty).all()
        (total,), (std,), (ability,) = items.expected(right[:1], np.arange(300)[None] < 30)
        assert abs(total - right[0].sum()) < 12
        assert 0 < std < 12
        assert np.isfinite(ability)
