"""Expected hypervolume improvement against simulation and against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search import hypervolume, non_dominated
from hwnas.search.expensive._acquisition import (
    ExpectedImprovement,
    IndependentGain,
    JointGain,
    choose_batch,
    expected_shortfall,
    greedily,
)

few = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**16)


def some_front(rng: np.random.Generator, k: int, m: int) -> np.ndarray:
    points = rng.uniform(0.2, 1.0, size=(4 * k, m))
    return points[non_dominated(points)][:k]


def improvement(front: np.ndarray, reference: np.ndarray, cost: np.ndarray) -> float:
    return hypervolume(np.concatenate([front, cost[None]]), reference.tolist()) - hypervolume(front, reference.tolist())


def test_shortfall_equals_simulation():
    rng = np.random.default_rng(0)
    t, mean, std = np.array([0.0, 1.0, -2.0]), np.array([0.3, 0.3, 0.3]), np.array([1.0, 0.5, 1.0])
    simulated = np.maximum(t - rng.normal(mean, std, size=(200_000, 3)), 0).mean(axis=0)
    np.testing.assert_allclose(expected_shortfall(t, mean, std), simulated, atol=5e-3)
    np.testing.assert_array_equal(expected_shortfall(t, mean, np.zeros(3)), [0.0, 0.7, 0.0])


@few
@given(seed=seeds, k=st.integers(0, 8), m=st.sampled_from([1, 2]))
def test_certain_costs_gain_exactly_the_hypervolume(seed, k, m):
    rng = np.random.default_rng(seed)
    reference = np.full(m, 1.1)
    front = some_front(rng, k, m)
    costs = rng.uniform(0, 1.3, size=(20, m))
    gains = ExpectedImprovement(reference, np.zeros(m), front)(costs, np.zeros_like(costs))
    expected = [improvement(front, reference, np.minimum(c, 9)) for c in costs]
    np.testing.assert_allclose(gains, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("known", [True, False])
def test_uncertain_costs_gain_the_mean_of_many_draws(seed, known):
    rng = np.random.default_rng(seed)
    reference, front = np.full(2, 1.1), some_front(rng, 5, 2)
    mean, std = rng.uniform(0.1, 0.6, size=(1, 2)), rng.uniform(0.1, 0.3, size=(1, 2))
    std[:, 1] *= not known
    drawn = rng.normal(mean, std, size=(1000, 2))
    gains = [improvement(front, reference, cost) for cost in drawn]
    computed = ExpectedImprovement(reference, np.zeros(2), front)(mean, std)[0]
    assert computed == pytest.approx(np.mean(gains), abs=5 * np.std(gains) / np.sqrt(1000) + 1e-9)


@few
@given(seed=seeds)
def test_three_objectives_are_integrated_over_points(seed):
    rng = np.random.default_rng(seed)
    reference, front = np.full(3, 1.1), some_front(rng, 6, 3)
    costs = rng.uniform(0.0, 0.6, size=(5, 3))
    gains = ExpectedImprovement(reference, np.zeros(3), front)(costs, np.zeros_like(costs))
    expected = np.array([improvement(front, reference, c) for c in costs])
    np.testing.assert_allclose(gains, expected, atol=0.06)


@few
@given(seed=seeds, m=st.sampled_from([1, 2, 3]))
def test_a_batch_is_what_plain_greedy_choice_gives(seed, m):
    rng = np.random.default_rng(seed)
    reference, front = np.full(m, 1.1), some_front(rng, 4, m)
    mean, std = rng.uniform(0, 1.2, size=(150, m)), rng.uniform(0, 0.2, size=(150, m))
    weight = rng.uniform(0, 1, size=150)
    gain = ExpectedImprovement(reference, np.full(m, -0.5), front)
    left, greedy = np.arange(150), []
    for _ in range(6):
        best = left[(gain(mean[left], std[left]) * weight[left]).argmax()]
        greedy.append(best)
        left = left[left != best]
        gain.believe(mean[best])
    chosen = choose_batch(
        IndependentGain(ExpectedImprovement(reference, np.full(m, -0.5), front), mean, std), weight, 6
    )
    assert chosen.tolist() == greedy


@few
@given(seed=seeds, m=st.sampled_from([1, 2]))
def test_gains_one_by_one_add_up_to_what_all_bring(seed, m):
    """The sum of what each would bring alone counts the same hypervolume over and over."""
    rng = np.random.default_rng(seed)
    reference, front, costs = np.full(m, 1.1), some_front(rng, 4, m), rng.uniform(0, 0.6, size=(80, m))
    alone = ExpectedImprovement(reference, np.zeros(m), front)
    found = list(greedily(IndependentGain(alone, costs, np.zeros_like(costs)), np.ones(80)))
    assert sorted(row for row, _ in found) == list(range(80))
    together = hypervolume(np.concatenate([front, costs]), reference.tolist()) - hypervolume(front, reference.tolist())
    assert sum(gain for _, gain in found) == pytest.approx(together)


def test_twins_are_not_both_chosen_first():
    mean = np.array([[0.5, 0.5], [0.5, 0.5], [0.2, 0.9]])
    for size, expected in ((2, [0, 2]), (9, [0, 2, 1])):
        improvement = ExpectedImprovement(np.ones(2), np.zeros(2), np.zeros((0, 2)))
        assert choose_batch(IndependentGain(improvement, mean, np.zeros((3, 2))), np.ones(3), size).tolist() == expected


@few
@given(seed=seeds, m=st.sampled_from([1, 2]))
def test_gains_together_are_means_over_draws(seed, m):
    rng = np.random.default_rng(seed)
    reference, front = np.full(m, 1.1), some_front(rng, 4, m)
    drawn, pending = rng.uniform(0, 1.2, size=(5, 9, m)), rng.uniform(0, 1.2, size=(5, 3, m))
    gain = JointGain(reference, np.zeros(m), front, drawn, pending)
    believed = [np.concatenate([front, p]) for p in pending]
    for row in (4, 2, 7):
        expected = [
            np.mean([improvement(b, reference, costs[i]) for b, costs in zip(believed, drawn, strict=True)])
            for i in range(9)
        ]
        np.testing.assert_allclose(gain(np.arange(9)), expected, atol=1e-12)
        gain.believe(row)
        believed = [np.concatenate([b, costs[[row]]]) for b, costs in zip(believed, drawn, strict=True)]


def test_what_errs_together_is_not_chosen_twice():
    """Of two subnets with the same error the second adds nothing; a worse one with an independent error does."""
    luck, own = np.random.default_rng(0).normal(0, 0.2, size=(2, 200))
    drawn = np.stack([0.5 + luck, 0.501 + luck, 0.55 + own], axis=1)[:, :, None]
    nothing = np.zeros((200, 0, 1))
    chosen = choose_batch(JointGain(np.ones(1), np.zeros(1), np.array([[0.6]]), drawn, nothing), np.ones(3), 2)
    assert chosen.tolist() == [0, 2]
    pending = choose_batch(
        JointGain(np.ones(1), np.zeros(1), np.array([[0.6]]), drawn[:, 1:], drawn[:, :1]), np.ones(2), 1
    )
    assert pending.tolist() == [1]
