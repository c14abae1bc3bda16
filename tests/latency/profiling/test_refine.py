"""Layer times brought into line with whole networks; and the subnets that this takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from hwnas.latency import Plan
from hwnas.latency.profiling import _refine
from hwnas.latency.profiling._methods import LayerTime, named
from hwnas.latency.profiling._refine import NETWORK_SD, RATIOS, WORTH, refined
from hwnas.latency.profiling._subnets import choose_subnets
from hwnas.space import get_space, macs_cost
from tests.latency.fakes import costs, tiny_space

SPACE = tiny_space()
NETWORKS = named(SPACE, SPACE.sample(30, np.random.default_rng(0)))
TRUE = {key: ns / 1e6 for key, ns in costs(SPACE).items()}
TIMES = {name: sum(TRUE[layer.key] for _, layer in network) for name, network in NETWORKS.items()}


def _times(factors: dict[str, float]) -> dict[str, LayerTime]:
    return {
        k: LayerTime(t * f / 2, t * f, t * f * 2, 3) for (k, t), f in zip(TRUE.items(), factors.values(), strict=True)
    }


def test_times_that_add_up_are_left_alone() -> None:
    times = _times(dict.fromkeys(TRUE, 1.0))
    found = refined(times, NETWORKS, TIMES)
    assert {k: t.median for k, t in found.items()} == pytest.approx({k: t.median for k, t in times.items()})
    assert all(t.p10 == pytest.approx(t.median / 2) and t.p90 == pytest.approx(t.median * 2) for t in found.values())


def test_times_seen_too_long_are_corrected_by_whole_networks() -> None:
    rng = np.random.default_rng(1)
    times = _times({key: rng.uniform(0.85, 1.25) for key in TRUE})
    found = refined(times, NETWORKS, TIMES)
    for name, network in NETWORKS.items():
        before = sum(times[layer.key].median for _, layer in network) / TIMES[name]
        after = sum(found[layer.key].median for _, layer in network) / TIMES[name]
        assert after == pytest.approx(1, abs=0.02)
        assert abs(after - 1) < abs(before - 1) + 0.005


def test_it_is_the_ridge_regression_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_refine, "RATIOS", (ratio := 7,))
    rng = np.random.default_rng(2)
    times = _times({key: rng.uniform(0.9, 1.1) for key in TRUE})
    found = refined(times, NETWORKS, TIMES)
    # Normal equations of the primal problem.
    keys = list(TRUE)
    seen = np.array([times[k].median for k in keys])
    counts = np.array(
        [[sum(layer.key == k for _, layer in net) for k in keys] for net in NETWORKS.values()], dtype=float
    )
    y = np.array(list(TIMES.values()))
    weight = 1 / y**2
    left = counts.T @ (counts * weight[:, None]) + np.diag(1 / (ratio * seen) ** 2)
    right = counts.T @ (weight * y) + seen / (ratio * seen) ** 2
    np.testing.assert_allclose([found[k].median for k in keys], np.linalg.solve(left, right), rtol=1e-6)


def test_the_ratio_is_the_likeliest_one() -> None:
    rng = np.random.default_rng(3)
    design = rng.uniform(0, 0.2, (12, 30))
    kernel, chosen = design @ design.T, set[float]()
    for off in (0.0, 0.05, 0.5):
        residual = design @ rng.normal(0, off, 30) + rng.normal(0, 0.01, 12)
        density: dict[float, float] = {
            ratio: multivariate_t.logpdf(residual, shape=NETWORK_SD**2 * (ratio**2 * kernel + np.eye(12)), df=WORTH)
            for ratio in RATIOS
        }
        ratio = _refine._likeliest(kernel, residual)
        assert density[ratio] == max(density.values())
        chosen.add(ratio)
    assert len(chosen) == 3, "noise of the networks leaves the layers alone"


def test_no_layer_becomes_free() -> None:
    found = refined(_times(dict.fromkeys(TRUE, 1.0)), NETWORKS, dict.fromkeys(NETWORKS, 1e-06))
    assert min(t.median for t in found.values()) > 0


def test_the_three_sets_share_no_subnet_and_span_all_sizes() -> None:
    space = get_space("ofa_mbv3_w1.0").restrict(r=[128, 224])
    subnets = choose_subnets(space, Plan())
    sets = [{row.tobytes() for row in rows} for rows in (subnets.cover, subnets.calibration, subnets.validation)]
    assert [len(s) for s in sets] == [36, 16, 36]
    assert len(set.union(*sets)) == 88
    for rows in (subnets.cover, subnets.calibration, subnets.validation):
        assert space.contains(rows).all()
        np.testing.assert_array_equal(rows, space.canonical(rows))
    cost = macs_cost(space)
    sizes = cost(subnets.calibration)
    assert sizes.min() == cost.minimum()[0]
    assert sizes.max() == cost.maximum()[0]
    again = choose_subnets(space, Plan())
    np.testing.assert_array_equal(subnets.cover, again.cover)
    np.testing.assert_array_equal(subnets.validation, again.validation)
    assert not np.array_equal(subnets.validation, choose_subnets(space, Plan(seed=1)).validation)


def test_a_space_of_one_subnet_is_checked_against_itself() -> None:
    only = SPACE.restrict(w=4, d=1, r=8)
    subnets = choose_subnets(only, Plan())
    assert [len(rows) for rows in (subnets.cover, subnets.calibration, subnets.validation)] == [1, 1, 1]
