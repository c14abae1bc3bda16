"""Residual networks: with batch norms, with other norms, and without any."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.convolutional._parts import Residual, SqueezeExcite, conv_bn, head


def resnet(depths: Sequence[int], width: int, *, bottleneck: bool, groups: int = 1) -> nn.Sequential:
    """With ``groups``, ResNeXt (Xie et al. 2017)."""
    stages: list[nn.Module] = [conv_bn(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, depth in enumerate(depths):
        mid = width * 2**stage
        out = mid * 4 if bottleneck else mid
        for i in range(depth):
            s = 2 if stage and not i else 1
            if bottleneck:
                body = nn.Sequential(
                    conv_bn(channels, mid), conv_bn(mid, mid, 3, s, groups), conv_bn(mid, out, act=None)
                )
            else:
                body = nn.Sequential(conv_bn(channels, mid, 3, s), conv_bn(mid, out, 3, act=None))
            shortcut = conv_bn(channels, out, 1, s, act=None) if s > 1 or channels != out else None
            stages.append(Residual(body, shortcut, nn.ReLU()))
            channels = out
    return nn.Sequential(*stages, head(channels))


class Res2NetBlock(nn.Module):
    """Res2Net's bottleneck (Gao et al. 2019): each quarter of the channels also gets what was made of the quarter before."""

    def __init__(self, i: int, mid: int, o: int) -> None:
        super().__init__()
        self.expand, self.project = conv_bn(i, 4 * mid), conv_bn(4 * mid, o, act=None)
        self.middle = nn.ModuleList(conv_bn(mid, mid, 3) for _ in range(3))
        self.shortcut = conv_bn(i, o, act=None) if i != o else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.expand(x).chunk(4, 1)
        found = [first]
        for layer, quarter in zip(self.middle, others, strict=True):
            found.append(layer(quarter if len(found) == 1 else quarter + found[-1]))
        return F.relu(self.project(torch.cat(found, 1)) + self.shortcut(x))


def res2net() -> nn.Sequential:
    blocks = (Res2NetBlock(16, 8, 64), Res2NetBlock(64, 8, 64), Res2NetBlock(64, 12, 64))
    return nn.Sequential(conv_bn(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1), *blocks, head(64))


def resnet_gn(depths: Sequence[int] = (2, 2, 2, 2), width: int = 16, groups: int = 8) -> nn.Sequential:
    """ResNet-18 with group norms (Wu and He 2018), instance norms in its first stage as in IBN-Net's b (Pan et al. 2018)."""

    def conv(i: int, o: int, k: int, s: int, groups: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.GroupNorm(groups, o))

    stages: list[nn.Module] = [conv(3, width, 7, 2, groups), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, depth in enumerate(depths):
        out = width * 2**stage
        for i in range(depth):
            s = 2 if stage and not i else 1
            inner = conv(channels, out, 3, s, groups)
            if not stage:
                inner[1] = nn.InstanceNorm2d(out, affine=True)
            shortcut = conv(channels, out, 1, s, groups) if s > 1 or channels != out else None
            stages.append(Residual(nn.Sequential(inner, nn.ReLU(), conv(out, out, 3, 1, groups)), shortcut, nn.ReLU()))
            channels = out
    return nn.Sequential(*stages, head(channels))


class StandardisedConv(nn.Conv2d):
    """Its filters have zero mean and unit variance (Qiao et al. 2019, arXiv:1903.10520)."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), keepdim=True, correction=0)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-10)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class BiTBlock(nn.Module):
    """BiT's bottleneck (Kolesnikov et al. 2020): group norms and activations come first, also before a projected shortcut."""

    def __init__(self, i: int, o: int, mid: int, s: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(groups, i), nn.ReLU())
        layers: list[nn.Module] = [StandardisedConv(i, mid, 1, bias=False), nn.GroupNorm(groups, mid), nn.ReLU()]
        layers += [StandardisedConv(mid, mid, 3, s, 1, bias=False), nn.GroupNorm(groups, mid), nn.ReLU()]
        self.body = nn.Sequential(*layers, StandardisedConv(mid, o, 1, bias=False))
        self.shortcut = StandardisedConv(i, o, 1, s, bias=False) if s > 1 or i != o else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        return self.body(y) + (x if self.shortcut is None else self.shortcut(y))


def bit(depths: Sequence[int] = (2, 3, 2), width: int = 16, groups: int = 4) -> nn.Sequential:
    stages: list[nn.Module] = [StandardisedConv(3, width, 7, 2, 3, bias=False), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, depth in enumerate(depths):
        mid = width * 2**stage
        for i in range(depth):
            stages.append(BiTBlock(channels, 4 * mid, mid, 2 if stage and not i else 1, groups))
            channels = 4 * mid
    return nn.Sequential(*stages, nn.GroupNorm(groups, channels), nn.ReLU(), head(channels))


class ScaledConv(nn.Conv2d):
    """A convolution with standardised filters and a gain for each."""

    def __init__(self, i: int, o: int, k: int = 1, s: int = 1) -> None:
        super().__init__(i, o, k, s, k // 2)
        self.gain = nn.Parameter(torch.full((o, 1, 1, 1), (i * k * k) ** -0.5))

    def forward(self, x: Tensor) -> Tensor:
        rows = self.weight.reshape(1, self.out_channels, -1)
        rows = F.batch_norm(rows, None, None, self.gain.view(-1), training=True, eps=1e-6)
        return F.conv2d(x, rows.reshape_as(self.weight), self.bias, self.stride, self.padding)


class NFBlock(nn.Module):
    """A block without norms (Brock et al. 2021): gains keep the variance of what it computes."""

    def __init__(self, i: int, o: int, s: int, before: float) -> None:
        super().__init__()
        mid, self.before, self.gate = o // 2, before, SqueezeExcite(o, nn.Sigmoid)
        self.expand, self.middle, self.project = ScaledConv(i, mid), ScaledConv(mid, mid, 3, s), ScaledConv(mid, o)
        pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if s > 1 else nn.Identity()
        self.shortcut = nn.Sequential(pool, ScaledConv(i, o)) if s > 1 or i != o else None
        self.gain = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Tensor:
        y = scaled_gelu(x) * self.before
        shortcut = x if self.shortcut is None else self.shortcut(y)
        y = self.project(scaled_gelu(self.middle(scaled_gelu(self.expand(y)))))
        return shortcut + self.gate(y) * 2.0 * self.gain * 0.2


def scaled_gelu(x: Tensor) -> Tensor:
    return F.gelu(x) * 1.7015


def nfnet() -> nn.Sequential:
    stages = [NFBlock(16, 32, 1, 1.0), NFBlock(32, 32, 1, 0.9), NFBlock(32, 32, 1, 0.8)]
    stages += [NFBlock(32, 48, 2, 0.9), NFBlock(48, 48, 1, 0.8)]
    return nn.Sequential(ScaledConv(3, 16, 3, 2), *stages, ScaledConv(48, 64), nn.GELU(), head(64))
