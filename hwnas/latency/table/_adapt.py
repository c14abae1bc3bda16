"""Adapting a table from another device, by a few whole subnets measured on this one.

The layer times of a similar device differ by the overall speed, by kernels (depthwise convolutions gain less from wide registers
than dense ones), by caches (the speed of small layers, and of small networks whose weights stay in the cache, changes more), and
by individual layers. In the model, the true time of a layer is the table's times ``speed * (1 + kinds + size + own)``. A
network also takes a positive or negative constant beyond its layers, which is added to its first and last layers. Their times
may become negative: if only small networks keep their weights in the cache, networks take much less than the sum of their layers.
All terms are normal around 0, and the measurement of a subnet adds noise. The posterior mean is a table again.

This is Bayesian linear regression in kernel form (Rasmussen and Williams 2006, section 2.1), with the widths of the terms fitted
by evidence (MacKay 1992). HELP showed that a few whole networks transfer a latency model to a new device (Lee et al. 2021,
arXiv:2106.08630).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp, log, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.device._device import Device
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._interval import interval
from hwnas.latency.table._runs import runs_of
from hwnas.latency.table._table import LatencyTable
from hwnas.space import AdditiveCost, LayerSpec, Population, SearchSpace

KIND, SIZE, WHOLE, OWN, NOISE = range(5)

WIDTHS = (0.15, 0.05, 0.02, 0.03, 0.015)
"""Prior relative standard deviations of the terms: a kind's factor, the change per doubling of a layer's time, a network's
constant beyond its layers, a layer's own factor, and the noise of one measured subnet."""

LOG_SPREAD = 1.0
"""Prior standard deviation of the logarithm of a width."""

LEAST_NOISE = 0.003
"""Smallest noise: no clock repeats better. Without it, subnets that the model explains exactly would make the covariance
singular."""

LEAST = 0.05
"""Layers other than the first and last keep at least this share of their time at the new speed, and so do networks."""

LEAST_WHOLE = 1e-4
"""Below this width a network has no constant beyond its layers."""

_MACS_PER_MS = {"dense": 40e6, "depthwise": 8e6, "once": 8e6, "elements": float("inf")}
_ELEMENTS_PER_MS, _EACH_MS = 4e6, 0.002


@dataclass(frozen=True)
class Adapted:
    """The result of adapting a table.

    Attributes:
        factors: of each layer's time, by key; they include the speed.
        speed: median of measured over predicted times.
        left_out_ms: ``(n,)`` leave-one-out predictions of the measured subnets.
    """

    factors: Mapping[str, float]
    speed: float
    left_out_ms: NDArray[np.float64]


def adapted(
    times_ms: Mapping[str, float],
    networks: Sequence[Sequence[tuple[str, LayerSpec]]],
    measured_ms: NDArray[np.float64],
    layers: Mapping[str, LayerSpec],
    fixed: Collection[str] = (),
    kept: Callable[[Mapping[str, float]], float] = lambda _: 1.0,
) -> Adapted:
    """Factors that fit layer times to whole networks measured on another device, or later.

    Args:
        times_ms: the table's times, by layer key.
        networks: ``n`` measured networks.
        measured_ms: ``(n,)`` their times by the wall clock.
        layers: all layers that get a factor, by key.
        fixed: keys of the layers that every network has, equally often.
        kept: with factors at the table's speed, the smallest share of its time that any network of the space keeps.
    """
    keys = list(layers)
    times = np.array([times_ms[key] for key in keys])
    counts = np.zeros((len(networks), len(keys)))
    index = {key: i for i, key in enumerate(keys)}
    for row, network in enumerate(networks):
        for _, layer in network:
            counts[row, index[layer.key]] += 1
    parts = counts * times
    speed = float(np.exp(np.median(np.log(measured_ms / parts.sum(axis=1)))))
    parts *= speed / measured_ms[:, None]  # shares of the measured time
    residual = 1 - parts.sum(axis=1)
    terms = _terms([layers[key] for key in keys], times)
    always = np.array([float(key in fixed) for key in keys])
    share = float(np.median(parts @ always))
    terms.append((always / share if share else 0 * always)[:, None])
    kernels = [(parts @ term) @ (parts @ term).T for term in terms] + [parts @ parts.T]

    widths = _likeliest(kernels, residual)
    change, left_out = _posterior(parts, terms, kernels, residual, widths)
    factors = _factors(keys, change, always)
    while widths[WHOLE] > LEAST_WHOLE and ((parts @ (1 + change) < LEAST).any() or kept(factors) < LEAST):
        widths[WHOLE] *= 0.8  # a network's time is positive: a smaller constant leaves more to the other layers
        change, left_out = _posterior(parts, terms, kernels, residual, widths)
        factors = _factors(keys, change, always)
    if widths[WHOLE] <= LEAST_WHOLE:  # without a constant, first and last layers are bounded like others
        factors = _factors(keys, change, 0 * always)
    return Adapted({key: speed * each for key, each in factors.items()}, speed, measured_ms * (1 - left_out))


def _factors(keys: Sequence[str], change: NDArray[np.float64], always: NDArray[np.float64]) -> dict[str, float]:
    bounded = np.where(always > 0, 1 + change, np.maximum(1 + change, LEAST))
    return dict(zip(keys, bounded.tolist(), strict=True))


def _posterior(
    parts: NDArray[np.float64],
    terms: Sequence[NDArray[np.float64]],
    kernels: Sequence[NDArray[np.float64]],
    residual: NDArray[np.float64],
    widths: Sequence[float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(layers,)`` posterior mean of each layer's change, and ``(n,)`` leave-one-out relative errors of networks."""
    inverse = np.linalg.inv(_covariance(kernels, widths))
    weights = inverse @ residual
    change = widths[OWN] ** 2 * parts.T @ weights
    for width, term in zip(widths, terms, strict=False):
        change += width**2 * term @ (parts @ term).T @ weights
    # Closed form of leave-one-out errors: Rasmussen and Williams, equation 5.12.
    return change, weights / np.diag(inverse)


def fixed_layers(space: SearchSpace) -> set[str]:
    """Keys of the layers of slots that depend on nothing but input and precision, so that every subnet has them."""
    free = {c for c, gene in enumerate(space.genes) if gene.role in ("input", "precision")}
    slots = [space.slot_layers(slot) for slot in space.slots if set(slot.genes) <= free]
    return {layer.key for found in slots if all(made for _, made in found) for _, layer in found if layer is not None}


def adapted_table(
    table: LatencyTable,
    device: Device,
    space: SearchSpace,
    x: Population,
    measured_ms: NDArray[np.float64],
    *,
    anchor: Mapping[str, Any] | None = None,
) -> tuple[LatencyTable, Adapted]:
    """A table of ``device``, from an older or another device's table and whole subnets measured on ``device``.

    Validation and interval come from leave-one-out predictions of the measured subnets.

    Args:
        table: the prior; it covers the space's domain.
        device: the device that was measured.
        space: of the rows.
        x: ``(n, g)`` measured rows.
        measured_ms: ``(n,)`` their times.
        anchor: ``arch`` and ``median_ms`` of the network that ran beside them; the new table's anchor.
    """
    layers = space.layers()
    before = table.layer_rows(space)
    times = {key: row.median_ms for key, row in before.items()}
    least_ms = table.cost(space).minimum()[0]

    def kept(factors: Mapping[str, float]) -> float:
        cost = AdditiveCost.from_layers(space, lambda layer: factors[layer.key] * times[layer.key])
        return cost.minimum()[0] / least_ms

    networks = [space.network(row) for row in x]
    found = adapted(times, networks, measured_ms, layers, fixed_layers(space), kept)
    rows = [before[key].scaled(factor) for key, factor in found.factors.items()]
    about = {
        "fingerprint": space.whole.fingerprint,
        "resolutions": [value for values in space.input_values.values() for value in values],
        "method": "adapted",
        "prior": table.name,
        "subnets": len(x),
        "speed": found.speed,
        **({"anchor": dict(anchor)} if anchor is not None else {}),
        "validation": fidelity(found.left_out_ms, measured_ms),
        "interval": interval(found.left_out_ms, measured_ms),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return LatencyTable.of(device, rows, {runs_of(space): about}, table.precision), found


def _terms(layers: Sequence[LayerSpec], times_ms: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Features of a layer's factor: ``(layers, kinds)`` shares of each kind of work, and ``(layers, 1)`` size."""
    work = np.array([list(_work_ms(layer).values()) for layer in layers])
    shares = work / work.sum(axis=1, keepdims=True)
    usual = float(np.median(times_ms[times_ms > 0])) if (times_ms > 0).any() else 1.0
    size = np.log2(np.where(times_ms > 0, times_ms, usual) / usual)
    return [shares, size[:, None]]


def _work_ms(layer: LayerSpec) -> dict[str, float]:
    """Rough times in ms of each kind of work in a layer, of which only the shares matter.

    ``once`` is work with weights that are used a single time (classifiers, gates of squeeze-excite), so that reading them takes
    the time.
    """
    work = dict.fromkeys(_MACS_PER_MS, 0.0)
    for op in layer.ops:
        if op.macs == 0:
            kind = "elements"
        elif getattr(op, "groups", 1) > 1:
            kind = "depthwise"
        else:
            kind = "once" if op.params >= op.macs else "dense"
        work[kind] += (
            op.macs / _MACS_PER_MS[kind] + (sum(map(prod, op.in_shapes)) + prod(op.shape)) / _ELEMENTS_PER_MS + _EACH_MS
        )
    return work


def _covariance(kernels: Sequence[NDArray[np.float64]], widths: Sequence[float]) -> NDArray[np.float64]:
    """Covariance of the relative residuals, including noise."""
    covariance = widths[NOISE] ** 2 * np.eye(len(kernels[0]))
    for width, kernel in zip(widths, kernels, strict=False):
        covariance = covariance + width**2 * kernel
    return covariance


def _likeliest(kernels: Sequence[NDArray[np.float64]], residual: NDArray[np.float64]) -> list[float]:
    """The most probable widths given the relative residuals, with a prior around ``WIDTHS``."""

    def log_posterior(widths: Sequence[float]) -> float:
        covariance = _covariance(kernels, widths)
        fit = residual @ np.linalg.solve(covariance, residual) + np.linalg.slogdet(covariance)[1]
        usual = sum((log(w / u) / LOG_SPREAD) ** 2 for w, u in zip(widths, WIDTHS, strict=True))
        return float(-(fit + usual) / 2)

    widths, step = list(WIDTHS), log(2)
    best = log_posterior(widths)
    while step > 0.1:
        before = best
        for i in range(len(widths)):
            for factor in (exp(step), exp(-step)):
                tried = [w * factor if k == i else w for k, w in enumerate(widths)]
                tried[NOISE] = max(LEAST_NOISE, tried[NOISE])
                if (found := log_posterior(tried)) > best:
                    widths, best = tried, found
        if best - before < 1e-6:
            step /= 2
    return widths
