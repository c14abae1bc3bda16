"""Adapting a table by whole subnets: truths it should find, and the definition of its left-out errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from hwnas.graph import mixed_space
from hwnas.latency import Device, LatencyTable, Row, adapted, adapted_table, fidelity, summary
from hwnas.latency.profiling._check import spanning_subnets
from hwnas.latency.table._adapt import WIDTHS, _posterior, _work_ms, fixed_layers
from hwnas.space import SearchSpace, get_space
from hwnas.supernet.hf._encoder import Encoder, Head, encoder_space
from hwnas.supernet.hf._inputs import TextInput

SPACE = get_space("ofa_mbv3_w1.0").restrict(r=[128, 176, 224])


def table(factor_of: dict[str, float], own: float = 0.0) -> LatencyTable:
    """A machine whose layers take their rough times, each kind of work by its factor, and each layer by one of its own."""
    rng, rows = np.random.default_rng(1), []
    for key, layer in SPACE.layers().items():
        ms = sum(factor_of.get(kind, 1.0) * t for kind, t in _work_ms(layer).items()) * np.exp(
            own * rng.standard_normal()
        )
        rows.append(Row(key, ms, ms, ms, 1, layer.macs))
    return LatencyTable.of(Device("toy", ""), rows, {SPACE.name: {"fingerprint": SPACE.fingerprint}})


def measured(truth: LatencyTable, space: SearchSpace, x: np.ndarray, noise: float) -> np.ndarray:
    return truth.cost(space)(x) * np.exp(noise * np.random.default_rng(2).standard_normal(len(x)))


@pytest.mark.parametrize(("n", "most_pct"), [(6, 4.0), (16, 2.5)])
def test_another_speed_and_other_kernels_are_found_by_a_few_subnets(n: int, most_pct: float) -> None:
    prior = table({}, own=0.05)
    truth = table({"depthwise": 3.0, "dense": 1.6, "once": 1.2, "elements": 2.0}, own=0.05)
    x = spanning_subnets(SPACE, n)
    new, found = adapted_table(prior, Device("here", ""), SPACE, x, measured(truth, SPACE, x, 0.01))
    fresh = SPACE.sample(200, np.random.default_rng(3))
    errors = fidelity(new.cost(SPACE)(fresh), truth.cost(SPACE)(fresh))
    alone = fidelity(found.speed * prior.cost(SPACE)(fresh), truth.cost(SPACE)(fresh))
    assert errors["mape_pct"] < min(most_pct, alone["mape_pct"])
    assert new.device.name == "here"


def test_left_out_errors_are_those_of_predictions_from_the_others() -> None:
    """By fitting anew without each subnet, the widths being what they are."""
    rng, n, layers = np.random.default_rng(0), 7, 12
    parts, residual = rng.random((n, layers)), rng.normal(0, 0.1, n)
    terms = [rng.random((layers, size)) for size in (4, 1, 1)]
    kernels = [(parts @ term) @ (parts @ term).T for term in terms] + [parts @ parts.T]
    _, left_out = _posterior(parts, terms, kernels, residual, WIDTHS)
    for i in range(n):
        others = np.delete(np.arange(n), i)
        fewer = [kernel[np.ix_(others, others)] for kernel in kernels]
        change, _ = _posterior(parts[others], terms, fewer, residual[others], WIDTHS)
        assert left_out[i] == pytest.approx(residual[i] - parts[i] @ change)


def test_its_own_check_leaves_each_subnet_out() -> None:
    prior, truth = table({}), table({"depthwise": 2.0}, own=0.1)
    x = spanning_subnets(SPACE, 10)
    ms = measured(truth, SPACE, x, 0.02)
    layers = SPACE.layers()
    times = {key: row.median_ms for key, row in prior.layer_rows(SPACE).items()}
    found = adapted(times, [SPACE.network(row) for row in x], ms, layers)
    assert np.all(np.abs(found.left_out_ms / ms - 1) < 0.3)
    within = np.array([sum(found.factors[la.key] * times[la.key] for _, la in SPACE.network(row)) for row in x])
    assert np.mean(np.abs(within / ms - 1)) < np.mean(np.abs(found.left_out_ms / ms - 1))


def test_the_same_machine_again_changes_little() -> None:
    prior = table({})
    x = spanning_subnets(SPACE, 12)
    new, found = adapted_table(prior, Device("here", ""), SPACE, x, prior.cost(SPACE)(x))
    np.testing.assert_allclose(new.cost(SPACE)(x), prior.cost(SPACE)(x), rtol=1e-6)
    assert found.speed == pytest.approx(1)


def test_more_subnets_than_layers_without_noise_are_no_numerical_trap() -> None:
    digits = get_space("digits").restrict(r=[8])
    layers = digits.layers()
    x = np.unique(digits.sample(3 * len(layers), np.random.default_rng(6)), axis=0)
    assert len(x) > len(layers)
    times = {key: 0.05 + layer.macs / 4e6 for key, layer in layers.items()}
    off = dict(zip(layers, 1.3 + 0.05 * np.random.default_rng(7).standard_normal(len(layers)), strict=True))
    networks = [digits.network(row) for row in x]
    ms = np.array([sum(off[layer.key] * times[layer.key] for _, layer in network) for network in networks])
    found = adapted(times, networks, ms, layers)
    within = np.array([sum(found.factors[la.key] * times[la.key] for _, la in network) for network in networks])
    np.testing.assert_allclose(within, ms, rtol=0.02)
    np.testing.assert_allclose(found.left_out_ms, ms, rtol=0.03)


def test_checked_subnets_span_all_sizes_from_the_first_few_on() -> None:
    x = spanning_subnets(SPACE, 16)
    assert len({row.tobytes() for row in x}) == 16
    ms = table({}).cost(SPACE)(x)
    assert ms[:6].min() < np.quantile(ms, 0.2)
    assert ms[:6].max() > np.quantile(ms, 0.7)


def test_measuring_a_front_helps_on_subnets_like_it() -> None:
    """What a search finds are subnets that the table flatters; of the rest they tell little, and more of it puts it right."""
    prior, truth = table({}), table({}, own=0.15)
    pool = SPACE.sample(2000, np.random.default_rng(4))
    flattered = np.argsort(prior.cost(SPACE)(pool) / truth.cost(SPACE)(pool), kind="stable")[:80]
    front, like_it, others = pool[flattered[::2]], pool[flattered[1::2]], SPACE.sample(300, np.random.default_rng(5))

    def mape(of: LatencyTable, x: np.ndarray) -> float:
        return fidelity(of.cost(SPACE)(x), truth.cost(SPACE)(x))["mape_pct"]

    new, _ = adapted_table(prior, Device("here", ""), SPACE, front, measured(truth, SPACE, front, 0.01))
    assert mape(new, like_it) < 0.5 * mape(prior, like_it)
    again = np.concatenate([front, others[:20]])
    new, _ = adapted_table(prior, Device("here", ""), SPACE, again, measured(truth, SPACE, again, 0.01))
    assert mape(new, others[20:]) < 1.2 * mape(prior, others[20:])
    assert mape(new, like_it) < 0.5 * mape(prior, like_it)


def test_an_anchor_tells_the_speed_from_then_on() -> None:
    x = spanning_subnets(SPACE, 6)
    anchor = {"arch": SPACE.decode(x[3]), "median_ms": 4.5}
    new, _ = adapted_table(table({}), Device("here", ""), SPACE, x, table({}).cost(SPACE)(x), anchor=anchor)
    found = new.anchor(SPACE)
    assert found is not None
    assert found.median_ms == 4.5
    assert [layer.key for _, layer in found.network] == [layer.key for _, layer in SPACE.network(x[3])]


def test_encoders_are_adapted_too_whose_ops_read_named_values() -> None:
    encoder = Encoder(2, 2, 16, 32, "gelu", 1e-12, norm_first=False, head=Head("mean"), classes=2)
    space = encoder_space("toy", encoder, TextInput(100, 32, 2, (8, 16)))
    rows = [Row(key, 1 + layer.macs / 1e6, 1, 2, 1, layer.macs) for key, layer in space.layers().items()]
    prior = LatencyTable.of(Device("toy", ""), rows, {space.name: {"fingerprint": space.fingerprint}})
    x = spanning_subnets(space, 8)
    new, _ = adapted_table(prior, Device("here", ""), space, x, 1.2 * prior.cost(space)(x))
    assert new.cost(space)(x) == pytest.approx(1.2 * prior.cost(space)(x), rel=1e-3)


def test_the_first_and_last_layers_bear_what_networks_take_less_even_below_zero() -> None:
    """As where the weights of small networks stay in a cache: they are faster by more than these layers take."""
    fixed = fixed_layers(SPACE)
    times = {key: 0.01 if key in fixed else row.median_ms for key, row in table({}).layer_rows(SPACE).items()}

    def sums(x: np.ndarray, factor_of: Mapping[str, float]) -> np.ndarray:
        return np.array([sum(factor_of[la.key] * times[la.key] for _, la in SPACE.network(row)) for row in x])

    ones = dict.fromkeys(times, 1.0)
    x, fresh = spanning_subnets(SPACE, 16), SPACE.sample(100, np.random.default_rng(3))
    saved = 0.1 * sums(x, ones).min()
    assert saved > 0.3, "far more than first and last layer take"
    found = adapted(times, [SPACE.network(row) for row in x], sums(x, ones) - saved, SPACE.layers(), fixed)
    errors = fidelity(sums(fresh, found.factors), sums(fresh, ones) - saved)
    assert min(found.factors[key] for key in fixed) < 0
    assert errors["mape_pct"] < 0.1  # 0.83 where these layers may take no less than nothing


@pytest.mark.parametrize("first", [120, 200, 280])
def test_large_networks_that_take_much_less_leave_small_ones_some_time(first: int) -> None:
    """A front of large networks adapts a table for all: none may come out below zero."""
    cost, x = table({}).cost(SPACE), SPACE.sample(400, np.random.default_rng(3))
    sums = cost(x)
    large = np.argsort(sums, kind="stable")[first::5]
    least_ms = cost.minimum()[0]
    new, _ = adapted_table(table({}), Device("here", ""), SPACE, x[large], sums[large] - 3 * least_ms)
    assert new.cost(SPACE).minimum()[0] > 0  # down to -1.2 ms if only those that were measured are looked at


def test_all_networks_have_as_many_fixed_layers_in_whatever_precision() -> None:
    space = mixed_space(get_space("digits").restrict(r=8), "fp32+int8")
    fixed = fixed_layers(space)
    rows = space.sample(30, np.random.default_rng(0))
    found = [[layer for _, layer in space.network(row) if layer.key in fixed] for row in rows]
    assert len({len(layers) for layers in found}) == 1
    assert {layer.precision for layers in found for layer in layers} == {"fp32", "int8"}


def test_an_order_is_told_of_three_subnets_or_more() -> None:
    predicted, measured = np.array([1.0, 2.0, 3.0]), np.array([1.1, 2.0, 3.1])
    assert summary(fidelity(predicted, measured)).endswith("Spearman 1.0000 on 3 subnets")
    assert summary(fidelity(predicted[:1], measured[:1])).endswith("bias -9.09 %, on 1 subnet")
