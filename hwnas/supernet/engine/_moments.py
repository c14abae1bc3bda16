"""Mean and variance of channels over a batch, from those of its parts; and of what a pointwise convolution makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_DROWNED = 100.0
"""Squared mean per variance from which on a difference of squares is too coarse in fp32."""

_CANCELLED = 2000.0
"""Terms up to so many times a variance may cancel to it; beyond, it is computed directly."""


class Moments(NamedTuple):
    """Of the channels of some samples.

    Attributes:
        n: samples.
        mean: ``(channels,)``.
        spread: biased, variances ``(channels,)`` or the covariance ``(channels, channels)``, which of a part may be fp32.
    """

    n: int
    mean: NDArray[np.float64]
    spread: NDArray[np.floating[Any]]


def variances(x: Array) -> Moments:
    """Of ``(n, channels, ...)``: two passes through memory that write nothing."""
    flat = x.reshape(*x.shape[:2], -1)
    mean = _means(flat).mean(0, dtype=np.float64)
    squares = (flat[:, :, None] @ flat[..., None])[..., 0, 0].mean(0, dtype=np.float64) / flat.shape[2]
    variance = squares - mean**2
    drowned = mean**2 > _DROWNED * variance
    if drowned.any():
        centred = flat[:, drowned] - mean[drowned, None].astype(x.dtype)
        variance[drowned] = centred.var(axis=(0, 2), dtype=np.float64)
    return Moments(len(x), mean, variance)


def covariances(x: Array) -> Moments:
    """Of ``(n, channels, ...)``: all samples in one product of matrices."""
    flat = x.reshape(*x.shape[:2], -1)
    mean = _means(flat).mean(0, dtype=np.float64)
    centred = np.subtract(flat.swapaxes(0, 1), mean[:, None, None].astype(x.dtype), order="C").reshape(len(mean), -1)
    return Moments(len(x), mean, centred @ centred.T / centred.shape[1])


def _means(flat: Array) -> Array:
    """``(n, channels)`` of ``(n, channels, pixels)``, by a matrix product: several times as fast as a sum."""
    return flat @ np.full(flat.shape[2], 1 / flat.shape[2], flat.dtype)


def pooled(parts: Sequence[Moments]) -> Moments:
    """Of everything, from the moments of its parts (Chan et al. 1979)."""
    n = sum(part.n for part in parts)
    shares = np.array([part.n / n for part in parts])
    means = np.stack([part.mean for part in parts])
    mean = shares @ means
    away = means - mean
    between = shares @ away**2 if parts[0].spread.ndim == 1 else (away.T * shares) @ away
    within = sum(share * part.spread for share, part in zip(shares, parts, strict=True))
    return Moments(n, mean, within + between)


def convolved(weight: Array, bias: Array, read: Moments, x: Array) -> Moments:
    """Of what a pointwise convolution makes of a batch.

    Args:
        weight: ``(out, in)``.
        bias: ``(out,)``.
        read: means and covariance of what it reads.
        x: ``(n, in, ...)`` what it reads, for channels whose variance is what is left of large terms.
    """
    wide = weight.astype(np.float64)
    mean, variance = wide @ read.mean + bias, np.einsum("oi,oi->o", wide @ read.spread, wide)
    cancelled = (np.abs(wide) @ np.sqrt(np.diag(read.spread))) ** 2 > _CANCELLED * variance
    if cancelled.any():
        direct = variances(np.matmul(weight[cancelled], x.reshape(*x.shape[:2], -1)))
        variance[cancelled] = direct.spread
    return Moments(read.n, mean, variance)
