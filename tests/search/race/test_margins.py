"""Expected results on samples that a subnet was not shown."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.search import Margins
from hwnas.search.race._margins import most_informative
from tests.search.race.samples import made_up

N = 600


def errors_of(seed: int, share: float, uneven: bool = False, k: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of subnets that the model was not learned from: errors of the expected totals after a share of the samples, which come
    in three parts; their standard deviations; and errors by a random share."""
    rng = np.random.default_rng(seed)
    margins = made_up(rng, np.concatenate([np.linspace(-0.5, 3, k), rng.uniform(0.5, 3, 25)]), N, uneven=uneven)
    model, ties = Margins.of(margins[:k]), rng.permutation(N)
    errors, stds, plain = [], [], []
    for own in margins[k:]:
        shown, chance = np.zeros(N, dtype=bool), model.chance_of_like(np.arange(k))
        for part in (share / 3, 2 * share / 3, share):
            order = most_informative(chance, ties)
            shown[order[~shown[order]][: round(part * N) - shown.sum()]] = True
            expected = model.expected(np.where(shown, own, np.nan), shown)  # what it was not shown is not read
            chance = expected.chance
        errors.append(expected.total - (own > 0).sum())
        stds.append(expected.std)
        plain.append(N * (own[rng.permutation(N)[: round(share * N)]] > 0).mean() - (own > 0).sum())
    return np.array(errors), np.array(stds), np.array(plain)


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_errors_are_about_as_large_as_it_says(share: float, uneven: bool) -> None:
    """Also where margins are not made as the model has it."""
    runs = [errors_of(seed, share, uneven)[:2] for seed in range(8)]
    errors, stds = (np.concatenate(part) for part in zip(*runs, strict=True))
    assert 0.6 < np.sqrt(np.mean((errors / stds) ** 2)) < 1.7


def test_it_is_far_sharper_than_the_share_told_right() -> None:
    runs = [errors_of(seed, 0.1) for seed in range(6)]
    errors, _, plain = (np.concatenate(part) for part in zip(*runs, strict=True))
    assert 3 * np.sqrt(np.mean(errors**2)) < np.std(plain)


def test_the_more_subnets_it_learned_from_the_sharper_it_is() -> None:
    few, many = (np.concatenate([errors_of(seed, 0.1, k=k)[0] for seed in range(6)]) for k in (12, 48))
    assert np.mean(many**2) < 0.8 * np.mean(few**2)


def test_samples_come_first_of_which_it_is_least_sure() -> None:
    chance = np.array([0.01, 0.5, 0.99, 0.4, 0.999])
    assert most_informative(chance, np.arange(5)).tolist() == [1, 3, 0, 2, 4]
    assert most_informative(chance, np.arange(5)[::-1]).tolist() == [1, 3, 2, 0, 4]


def test_who_is_like_the_weak_is_expected_to_be_weak() -> None:
    margins = made_up(np.random.default_rng(0), np.linspace(-1, 3, 12), N)
    model = Margins.of(margins)
    expected = [model.chance_of_like(np.array([i, i + 1])).sum() for i in range(0, 12, 2)]
    assert np.corrcoef(expected, (margins > 0).sum(axis=1)[::2])[0, 1] > 0.95


def test_a_broken_subnet_does_not_drown_the_others() -> None:
    rng = np.random.default_rng(0)
    margins = made_up(rng, np.concatenate([np.linspace(-0.5, 3, 12), rng.uniform(1, 3, 20)]), N)
    broken = rng.choice([-1e3, 1e3], N)
    model, sound = Margins.of(np.stack([broken, *margins[1:12]])), Margins.of(margins[:12])
    shown = np.arange(N) < 90
    errors = [model.expected(own, shown).total - (own > 0).sum() for own in margins[12:]]
    assert np.sqrt(np.mean(np.square(errors))) < 0.06 * N
    assert sound.expected(broken, shown).total < min(sound.expected(own, shown).total for own in margins[12:])


def test_what_all_tell_right_or_none_or_all_alike_keeps_the_model_finite() -> None:
    rng = np.random.default_rng(0)
    for known in (np.ones((12, 300)), -np.ones((12, 300)), 5 + rng.normal(0, 0.1, (12, 300))):
        expected = Margins.of(known).expected(known[0], np.arange(300) < 30)
        assert abs(expected.total - (known[0] > 0).sum()) < 3
        assert 0 <= expected.std < 3
        assert np.isfinite(expected.chance).all()
