"""Normalisations as separate ops. A batch norm after a convolution is part of `Conv`, and folded on export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class BatchNorm(Op):
    """Batch norm over the channels (the first axis), if there is no convolution before it to fold it into."""

    @property
    def weights(self) -> Mapping[str, Shape]:
        return dict.fromkeys(("weight", "bias"), self.in_shape[:1])

    @property
    def buffers(self) -> Mapping[str, Shape]:
        return dict.fromkeys(("running_mean", "running_var"), self.in_shape[:1])


@dataclass(frozen=True)
class Affine(Op):
    """``x * weight + bias`` with one weight and bias per element of ``axis``: layer scale, or standardisation of the input."""

    axis: int = 0

    in_place = (0,)

    @property
    def weights(self) -> Mapping[str, Shape]:
        return dict.fromkeys(("weight", "bias"), (self.in_shape[self.axis],))


@dataclass(frozen=True)
class GroupNorm(Op):
    """Zero mean and unit variance over each group of neighbouring channels and all positions, then a scale and a shift per channel.

    Wu and He 2018, arXiv:1803.08494. With one channel per group it is an instance norm (Ulyanov et al. 2016, arXiv:1607.08022).

    Attributes:
        groups: divides the number of channels, which are the first axis.
        eps: added to variances.
    """

    groups: int
    eps: float = 1e-5

    @property
    def size(self) -> int:
        """Channels per group."""
        return self.in_shape[0] // self.groups

    @property
    def weights(self) -> Mapping[str, Shape]:
        return dict.fromkeys(("weight", "bias"), self.in_shape[:1])


@dataclass(frozen=True)
class LayerNorm(Op):
    """Zero mean and unit variance over the last axis, then a scale and a shift (Ba et al. 2016, arXiv:1607.06450)."""

    eps: float = 1e-5

    @property
    def weights(self) -> Mapping[str, Shape]:
        return dict.fromkeys(("weight", "bias"), self.in_shape[-1:])


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """Values divided by ``(k + alpha * m) ** beta``, where ``m`` is the mean square of the channels around (Krizhevsky et al. 2012).

    Attributes:
        size: channels over which ``m`` is taken, an odd number; those beyond the first and the last count as zeros.
        alpha, beta, k: of the formula.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0


@dataclass(frozen=True)
class ResponseNorm(Op):
    """Each channel of a feature map times its length over the map, as a multiple of the mean length of all channels.

    Woo et al. 2023, arXiv:2301.00808, call it a global response norm, with the scale, the shift and the sum that follow.

    Attributes:
        axis: of the channels: 0, or 2 if they are last.
        eps: added to the mean length.
    """

    axis: int = 0
    eps: float = 1e-6


@dataclass(frozen=True)
class RMSNorm(Op):
    """Unit mean square over the last axis, then a scale (Zhang and Sennrich 2019, arXiv:1910.07467)."""

    eps: float = 1e-5

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"weight": self.in_shape[-1:]}
