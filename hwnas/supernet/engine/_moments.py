"""Means and variances of channels over a batch, from those of its parts, and after a pointwise convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_DROWNED = 100.0
"""Ratio of squared mean to variance above which a difference of squares is too imprecise in fp32."""

_CANCELLED = 2000.0
"""Ratio of the largest possible variance to the variance above which cancellation makes it too imprecise."""


class Moments(NamedTuple):
    """Moments of the channels over some samples.

    Attributes:
        n: number of samples.
        mean: ``(channels,)``.
        spread: biased variances ``(channels,)`` or covariance ``(channels, channels)``, for parts of a batch perhaps fp32.
    """

    n: int
    mean: NDArray[np.float64]
    spread: NDArray[np.floating[Any]]


def variances(x: Array) -> Moments:
    """Means and variances of ``(n, channels, ...)``, in two passes that write no large array."""
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
    """Means and covariance of ``(n, channels, ...)``, with all samples in one matrix product."""
    flat = x.reshape(*x.shape[:2], -1)
    mean = _means(flat).mean(0, dtype=np.float64)
    centred = np.subtract(flat.swapaxes(0, 1), mean[:, None, None].astype(x.dtype), order="C").reshape(len(mean), -1)
    return Moments(len(x), mean, centred @ centred.T / centred.shape[1])


def _means(flat: Array) -> Array:
    """``(n, channels)`` means of ``(n, channels, pixels)``, by a matrix product, which is several times faster than a sum."""
    return flat @ np.full(flat.shape[2], 1 / flat.shape[2], flat.dtype)


def pooled(parts: Sequence[Moments]) -> Moments:
    """The moments of a whole from those of its parts (Chan et al. 1979)."""
    n = sum(part.n for part in parts)
    shares = np.array([part.n / n for part in parts])
    means = np.stack([part.mean for part in parts])
    mean = shares @ means
    away = means - mean
    between = shares @ away**2 if parts[0].spread.ndim == 1 else (away.T * shares) @ away
    within = sum(share * part.spread for share, part in zip(shares, parts, strict=True))
    return Moments(n, mean, within + between)


def convolved(weight: Array, bias: Array, read: Moments, x: Array) -> Moments:
    """The moments of a pointwise convolution's output.

    Args:
        weight: ``(out, in)``.
        bias: ``(out,)``.
        read: means and covariance of its input.
        x: ``(n, in, ...)`` input, for channels whose variance suffers from cancellation and is computed directly.
    """
    wide = weight.astype(np.float64)
    mean, variance = wide @ read.mean + bias, np.einsum("oi,oi->o", wide @ read.spread, wide)
    cancelled = (np.abs(wide) @ np.sqrt(np.diag(read.spread))) ** 2 > _CANCELLED * variance
    if cancelled.any():
        direct = variances(np.matmul(weight[cancelled], x.reshape(*x.shape[:2], -1)))
        variance[cancelled] = direct.spread
    return Moments(read.n, mean, variance)
