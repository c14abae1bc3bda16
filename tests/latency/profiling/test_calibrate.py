"""Layer times brought into line with whole networks; and the subnets that this takes."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.latency import Plan
from hwnas.latency.profiling._calibrate import calibrate
from hwnas.latency.profiling._methods import LayerTime, networks_by_name
from hwnas.latency.profiling._subnets import choose_subnets
from hwnas.latency.table._adapt import fixed_layers
from hwnas.space import get_space, macs_cost
from tests.latency.fakes import costs, tiny_space

SPACE = tiny_space()
LAYERS, FIXED = SPACE.layers(), fixed_layers(SPACE)
NETWORKS = networks_by_name(SPACE, SPACE.sample(30, np.random.default_rng(0)))
TRUE = {key: ns / 1e6 for key, ns in costs(SPACE).items()}
TIMES = {name: sum(TRUE[layer.key] for _, layer in network) for name, network in NETWORKS.items()}


def _times(factors: dict[str, float]) -> dict[str, LayerTime]:
    return {
        k: LayerTime(t * f / 2, t * f, t * f * 2, 3) for (k, t), f in zip(TRUE.items(), factors.values(), strict=True)
    }


def test_times_that_add_up_are_left_alone() -> None:
    times = _times(dict.fromkeys(TRUE, 1.0))
    found = calibrate(times, NETWORKS, TIMES, LAYERS, FIXED)
    assert {k: t.median for k, t in found.items()} == pytest.approx({k: t.median for k, t in times.items()})
    assert all(t.p10 == pytest.approx(t.median / 2) and t.p90 == pytest.approx(t.median * 2) for t in found.values())


def test_times_seen_too_long_are_corrected_by_whole_networks() -> None:
    rng = np.random.default_rng(1)
    times = _times({key: rng.uniform(0.85, 1.25) for key in TRUE})
    found = calibrate(times, NETWORKS, TIMES, LAYERS, FIXED)
    for name, network in NETWORKS.items():
        before = sum(times[layer.key].median for _, layer in network) / TIMES[name]
        after = sum(found[layer.key].median for _, layer in network) / TIMES[name]
        assert after == pytest.approx(1, abs=0.02)
        assert abs(after - 1) < abs(before - 1) + 0.005


def test_what_networks_take_less_than_their_layers_is_found() -> None:
    """Small networks are faster per layer: a line through the times of all sizes does not meet the origin."""
    less = 0.8 * min(TRUE[key] for key in FIXED)
    shorter = {name: ms - less for name, ms in TIMES.items()}
    some = dict(list(NETWORKS.items())[:12])
    found = calibrate(_times(dict.fromkeys(TRUE, 1.0)), some, shorter, LAYERS, FIXED)
    errors = [sum(found[la.key].median for _, la in network) / shorter[name] - 1 for name, network in NETWORKS.items()]
    assert np.abs(errors).max() < 0.01


def test_no_layer_becomes_free() -> None:
    found = calibrate(_times(dict.fromkeys(TRUE, 1.0)), NETWORKS, dict.fromkeys(NETWORKS, 1e-06), LAYERS, FIXED)
    assert min(t.median for t in found.values()) > 0


def test_the_three_sets_share_no_subnet_and_span_all_sizes() -> None:
    space = get_space("ofa_mbv3_w1.0").restrict(r=[128, 224])
    subnets = choose_subnets(space, Plan())
    sets = [{row.tobytes() for row in rows} for rows in (subnets.cover, subnets.calibration, subnets.validation)]
    assert [len(s) for s in sets] == [36, 40, 36]
    assert len(set.union(*sets)) == 112
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


def test_spaces_of_few_layers_are_calibrated_by_fewer_subnets() -> None:
    of_a_resolution = get_space("ofa_mbv3_w1.0").restrict(r=224)
    few = of_a_resolution.restrict(ks=3, e=[3, 6])
    assert len(choose_subnets(of_a_resolution, Plan()).calibration) == 40
    assert len(few.layers()) < 36
    assert len(choose_subnets(few, Plan()).calibration) == 24


def test_a_space_of_one_subnet_is_checked_against_itself() -> None:
    only = SPACE.restrict(w=4, d=1, r=8)
    subnets = choose_subnets(only, Plan())
    assert [len(rows) for rows in (subnets.cover, subnets.calibration, subnets.validation)] == [1, 1, 1]
