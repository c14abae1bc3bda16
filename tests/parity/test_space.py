"""MACs and parameters, exactly as upstream counts them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from hwnas.io import read_archs, read_csv
from hwnas.space import get_space, macs_cost, params_cost
from tests.parity import upstream

N_ARCHS = 200


@pytest.fixture(scope="module", params=upstream.NETWORKS)
def pair(request):
    return get_space(request.param), upstream.supernet(request.param)


def test_macs_and_params_of_random_subnets_equal_upstream(pair):
    space, net = pair
    rng = np.random.default_rng(2020)
    half = N_ARCHS // 2
    x = np.concatenate([space.sample(half, rng), space.sample(half, rng, distinct_uniform=False)])
    archs = space.decode_many(x)
    np.testing.assert_array_equal(macs_cost(space)(x), [upstream.count_macs(net, a) for a in archs])
    np.testing.assert_array_equal(params_cost(space)(x), [upstream.count_params(net, a) for a in archs])


def test_extreme_subnets_equal_upstream(pair):
    space, net = pair
    for cost, count in ((macs_cost, upstream.count_macs), (params_cost, upstream.count_params)):
        for value, row in (cost(space).minimum(), cost(space).maximum()):
            assert value == count(net, space.decode(row))


def test_layers_count_what_the_extracted_subnet_holds(pair):
    space, net = pair
    for row in space.sample(2, np.random.default_rng(1)):
        subnet = upstream.active_subnet(net, space.decode(row))
        by_module: dict[str, int] = {}
        for name, parameter in subnet.named_parameters():
            parts = name.split(".")
            module = ".".join(parts[:2]) if parts[1].isdigit() else parts[0]
            by_module[module] = by_module.get(module, 0) + parameter.numel()
        # Upstream numbers the blocks of an extracted subnet consecutively: compare in order.
        ours = [layer.params for _, layer in space.network(row) if layer.params]
        assert ours == list(by_module.values())


def test_upstream_samples_are_archs_of_ours(pair):
    space, net = pair
    params = params_cost(space)
    random.seed(20)
    for _ in range(20):
        arch = net.sample_active_subnet()
        row = space.encode(arch | {"r": 224})
        assert params(row[None])[0] == upstream.count_params(net, arch)


def test_counts_equal_every_row_of_the_measured_subnets(shared_data: Path):
    space = get_space("ofa_mbv3_w1.0")
    frame = read_csv(shared_data / "ofa_mbv3_w1.0_imagenet" / "dynast_224.csv.gz")
    x = read_archs(frame, space)
    np.testing.assert_array_equal(macs_cost(space)(x), frame["macs_reported"])
    np.testing.assert_array_equal(params_cost(space)(x), frame["params"])
