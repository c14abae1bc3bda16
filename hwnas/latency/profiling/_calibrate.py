"""Bringing layer times into line with the times of whole networks.

A layer costs more in a large network, whose weights do not stay in the cache, than in a small one. Times seen in
covering subnets, which are large, therefore add up to too much for small subnets: by up to 14 % for the smallest of
``ofa_mbv3_w1.0`` at 128 pixels on the CPU this was written on, by 8 % for two layers of a MiniLM. Whole subnets of all
sizes correct what a layer adds, and what a network takes beyond its layers, or less than them, as in adapting a table
to another machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from hwnas.latency.profiling._methods import LayerTime
from hwnas.latency.table._adapt import adapted
from hwnas.space import LayerSpec, Network


def calibrated(
    times: Mapping[str, LayerTime],
    networks: Mapping[str, Network],
    ratios: Mapping[str, float],
    layers: Mapping[str, LayerSpec],
    fixed: Collection[str],
) -> dict[str, LayerTime]:
    """Layer times that explain whole networks, as near as can be to those seen.

    Args:
        times: what was seen, by layer key.
        networks: whole networks by name.
        ratios: their times.
        layers: by key.
        fixed: as for `adapted`.
    """
    seen = {key: times[key].median for key in layers}
    whole = np.array([ratios[name] for name in networks])
    factors = adapted(seen, list(networks.values()), whole, layers, fixed).factors
    return {key: times[key].scaled(factor) for key, factor in factors.items()}
