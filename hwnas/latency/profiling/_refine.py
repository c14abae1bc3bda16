"""Bringing layer times into line with the times of whole networks.

A layer costs more in a large network, whose weights do not stay in the cache, than in a small one. Times seen in
covering subnets, which are large, therefore add up to too much for small subnets: by up to 14 % for the smallest of
``ofa_mbv3_w1.0`` at 128 pixels on the CPU this was written on. Whole subnets of all sizes tell what a layer adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.profiling._methods import LayerTime
from hwnas.space import Network

RATIOS = (1, 2, 5, 10, 20, 40)
"""Candidates for the relative error of a layer's time, as a multiple of a network's; the whole networks decide. For layers seen
inside networks they chose 10 and 20, and 5 to 40 do about as well; for layers timed alone by OpenVINO 10, where 2 would be
best and 20 is worse than 1."""

NETWORK_SD, WORTH = 0.01, 4
"""Relative error to expect of one whole network's time, and how many networks it takes to outweigh that."""

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
    # Relative to each network, with the relative change of each layer as the unknown.
    design = np.zeros((len(networks), len(keys)))
    for row, network in enumerate(networks.values()):
        for _, layer in network:
            design[row, index[layer.key]] += seen[index[layer.key]]
    design /= whole[:, None]
    residual = 1 - design.sum(axis=1)
    # The dual form: there are fewer networks than layers.
    kernel = design @ design.T
    ratio = _likeliest(kernel, residual)
    change = ratio**2 * design.T @ np.linalg.solve(ratio**2 * kernel + np.eye(len(whole)), residual)
    factors = np.maximum(1 + change, _LEAST)
    return {key: _scaled(times[key], float(factor)) for key, factor in zip(keys, factors, strict=True)}


def _likeliest(kernel: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    """The ratio under which ``(n,)`` relative residuals are likeliest (the evidence: MacKay 1992), their scale unknown."""
    values, vectors = np.linalg.eigh(kernel)
    squares = (vectors.T @ residual) ** 2

    def log_evidence(ratio: float) -> float:
        variances = ratio**2 * np.maximum(values, 0) + 1
        total = np.sum(squares / variances) + WORTH * NETWORK_SD**2
        return float(-(len(residual) + WORTH) / 2 * np.log(total) - np.log(variances).sum() / 2)

    return max(RATIOS, key=log_evidence)


def _scaled(time: LayerTime, factor: float) -> LayerTime:
    return replace(time, p10=time.p10 * factor, median=time.median * factor, p90=time.p90 * factor)
