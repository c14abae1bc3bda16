"""Networks with attention over channels and pixels, other paddings and pools; and one of several resolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.convolutional._parts import CLASSES, Residual, conv_bn, head


class EfficientAttention(nn.Module):
    """ECA (Wang et al. 2020): a convolution over the means of neighbouring channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * torch.sigmoid(y).expand_as(x)


class BlockAttention(nn.Module):
    """CBAM (Woo et al. 2018): a gate per channel, then one per pixel."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.Conv2d(c, c // 4, 1, bias=False), nn.ReLU(), nn.Conv2d(c // 4, c, 1, bias=False))
        self.conv = conv_bn(2, 1, 7, act=nn.Sigmoid)

    def forward(self, x: Tensor) -> Tensor:
        means, maxima = (self.shared(pool(x, 1)) for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d))
        x = x * torch.sigmoid(means + maxima)
        return x * self.conv(torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1))


class GeneralisedMean(nn.Module):
    """GeM (Radenović et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor([2.7]))

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x.clamp(min=1e-6).pow(self.power), 1).pow(1 / self.power)


def attentive() -> nn.Sequential:
    """A residual network with all of these, SELU, and an edge that is mirrored."""

    def block(i: int, o: int, mid: int, gate: nn.Module, s: int = 1) -> nn.Module:
        body = nn.Sequential(conv_bn(i, mid, act=nn.SELU), conv_bn(mid, mid, 3, s), conv_bn(mid, o, act=None), gate)
        return Residual(body, conv_bn(i, o, 1, s, act=None) if i != o else None, nn.ReLU())

    stem = nn.Conv2d(3, 16, 7, 2, 3, padding_mode="reflect", bias=False)
    blocks = (block(16, 48, 16, EfficientAttention(), 2), block(48, 48, 16, EfficientAttention()))
    later = (block(48, 64, 24, BlockAttention(64), 2), block(64, 64, 24, BlockAttention(64)))
    tail = (GeneralisedMean(), nn.Flatten(), nn.Linear(64, CLASSES))
    return nn.Sequential(stem, nn.BatchNorm2d(16), nn.SELU(), *blocks, *later, *tail)


class TwoResolutions(nn.Module):
    """An exchange of HRNet (Wang et al. 2019): each resolution gets the sum of both."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.high, self.low = conv_bn(i, i, 3), nn.Sequential(conv_bn(i, i, 3, 2), conv_bn(i, o, 3))
        self.up, self.down = conv_bn(o, i, act=None), conv_bn(i, o, 3, 2, act=None)

    def forward(self, x: Tensor) -> Tensor:
        high, low = self.high(x), self.low(x)
        high, low = high + F.interpolate(self.up(low), scale_factor=2), low + self.down(high)
        return F.relu(F.relu(low) + self.down(F.relu(high)))


def hrnet() -> nn.Sequential:
    stem = (conv_bn(3, 16, 3, 2), conv_bn(16, 16, 3), nn.Upsample(scale_factor=2, mode="bilinear"))
    return nn.Sequential(*stem, TwoResolutions(16, 24), TwoResolutions(24, 32), head(32))
