"""Bringing layer times into line with the times of whole networks.

A layer costs more in a large network, whose weights do not stay in the cache, than in a small one. Times seen in
covering subnets, which are large, therefore add up to too much for small subnets: by up to 14 % for the smallest of
``ofa_mbv3_w1.0`` at 128 pixels on the CPU this was written on. Whole subnets of all sizes tell what a layer adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hwnas.graph import Network
from hwnas.latency._methods import LayerTime

LAYER_SD = 0.2
"""By how much, relatively, a layer's time may differ from what was seen; 0.1 to 0.4 do about as well."""

NETWORK_SD = 0.01
"""Relative error of one whole network's time."""

_LEAST = 0.05
"""No layer is moved below this share of what was seen."""


def refined(
    times: Mapping[str, LayerTime], networks: Mapping[str, Network], ratios: Mapping[str, float]
) -> dict[str, LayerTime]:
    """Layer times that explain whole networks, as near as can be to those seen (ridge regression towards them).

    Args:
        times: what was seen, by layer key.
        networks: whole networks by name.
        ratios: their times.
    """
    keys = list(times)
    index = {key: i for i, key in enumerate(keys)}
    seen = np.array([times[key].median for key in keys])
    whole = np.array([ratios[name] for name in networks])
    # In units of the standard deviations, with the relative change of each layer as the unknown.
    design = np.zeros((len(networks), len(keys)))
    for row, network in enumerate(networks.values()):
        for _, layer in network:
            design[row, index[layer.key]] += seen[index[layer.key]]
    residual = (whole - design.sum(axis=1)) / (NETWORK_SD * whole)
    design *= LAYER_SD / (NETWORK_SD * whole[:, None])
    # The dual form: there are fewer networks than layers.
    change = design.T @ np.linalg.solve(design @ design.T + np.eye(len(whole)), residual)
    factors = np.maximum(1 + LAYER_SD * change, _LEAST)
    return {key: _scaled(times[key], float(factor)) for key, factor in zip(keys, factors, strict=True)}


def _scaled(time: LayerTime, factor: float) -> LayerTime:
    return replace(time, p10=time.p10 * factor, median=time.median * factor, p90=time.p90 * factor)
