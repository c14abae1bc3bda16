"""Calibrating layer times by the times of whole networks.

A layer costs more in a large network, whose weights do not stay in the cache, than in a small one. Covering subnets are large,
so the sums of their layer times are too high for small subnets: by up to 14 % for the smallest of ``ofa_mbv3_w1.0`` at 128
pixels on one CPU, and by 8 % for two layers of a MiniLM. Whole subnets of all sizes correct each layer's time and the constant
that a network takes beyond its layers, in the same way as a table is adapted to another machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from hwnas.latency.profiling._methods import LayerTime
from hwnas.latency.table._adapt import adapted
from hwnas.space import LayerSpec, Network


def calibrate(
    times: Mapping[str, LayerTime],
    networks: Mapping[str, Network],
    ratios: Mapping[str, float],
    layers: Mapping[str, LayerSpec],
    fixed: Collection[str],
) -> dict[str, LayerTime]:
    """Layer times whose sums agree with whole networks, as close as possible to the times observed.

    Args:
        times: observed, by layer key.
        networks: whole networks by name.
        ratios: the measured times of the networks.
        layers: by key.
        fixed: as for `adapted`.
    """
    seen = {key: times[key].median for key in layers}
    whole = np.array([ratios[name] for name in networks])
    factors = adapted(seen, list(networks.values()), whole, layers, fixed).factors
    return {key: times[key].scaled(factor) for key, factor in factors.items()}
