"""Networks of depthwise convolutions: MobileNets, ConvNeXt, ConvMixer; and PoolFormer, which pools instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from tests.convolutional._parts import CLASSES, Residual, SqueezeExcite, conv_bn, head


def inverted(
    i: int, o: int, mid: int, k: int = 3, s: int = 1, act: Callable[[], nn.Module] = nn.ReLU6, *, se: bool = False
) -> nn.Module:
    body = nn.Sequential(
        *([conv_bn(i, mid, act=act)] if mid != i else []),
        conv_bn(mid, mid, k, s, mid, act),
        *([SqueezeExcite(mid)] if se else []),
        conv_bn(mid, o, act=None),
    )
    return Residual(body) if s == 1 and i == o else body


def mobilenet_v2() -> nn.Sequential:
    layers: list[nn.Module] = [conv_bn(3, 16, 3, 2, act=nn.ReLU6), inverted(16, 8, 16)]
    channels = 8
    for o, n, s in ((16, 2, 2), (24, 3, 2), (32, 4, 2), (40, 3, 1), (48, 3, 2), (64, 1, 1)):
        for i in range(n):
            layers.append(inverted(channels, o, channels * 6, 3, s if not i else 1))
            channels = o
    return nn.Sequential(*layers, conv_bn(channels, 128, act=nn.ReLU6), head(128))


def mobilefacenet() -> nn.Sequential:
    """Blocks of Chen et al. (2018), a slope per channel in each; the maximum over the map at its end."""

    def sloped(i: int, o: int, mid: int, s: int = 1) -> nn.Module:
        return inverted(i, o, mid, 3, s, partial(nn.PReLU, mid))

    layers = [conv_bn(3, 16, 3, 2, act=partial(nn.PReLU, 16)), sloped(16, 16, 32), sloped(16, 16, 32)]
    layers += [sloped(16, 24, 64, 2), sloped(24, 24, 48), sloped(24, 24, 48)]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(24, CLASSES))


def mobilenet_v3() -> nn.Sequential:
    """Large: hard swish, squeeze-excite, kernels of 3 and 5."""
    layers: list[nn.Module] = [conv_bn(3, 16, 3, 2, act=nn.Hardswish), inverted(16, 16, 16, act=nn.ReLU)]
    channels = 16
    settings = (
        (24, 64, 3, 2, False, nn.ReLU),
        (24, 72, 3, 1, False, nn.ReLU),
        (32, 72, 5, 2, True, nn.ReLU),
        (32, 96, 5, 1, True, nn.ReLU),
        (32, 96, 5, 1, True, nn.ReLU),
        (40, 128, 3, 2, False, nn.Hardswish),
        (40, 100, 3, 1, False, nn.Hardswish),
        (40, 92, 3, 1, False, nn.Hardswish),
        (56, 240, 3, 1, True, nn.Hardswish),
        (56, 336, 3, 1, True, nn.Hardswish),
        (64, 336, 5, 2, True, nn.Hardswish),
        (64, 384, 5, 1, True, nn.Hardswish),
    )
    for o, mid, k, s, se, act in settings:
        layers.append(inverted(channels, o, mid, k, s, act, se=se))
        channels = o
    tail = (
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 96),
        nn.Hardswish(),
        nn.Dropout(),
        nn.Linear(96, CLASSES),
    )
    return nn.Sequential(*layers, conv_bn(channels, 128, act=nn.Hardswish), *tail)


# --- ConvNeXt (Liu et al. 2022) ---------------------------------------------------------------


class LayerNorm2d(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(c, c, 7, padding=3, groups=c)
        self.body = nn.Sequential(nn.LayerNorm(c, 1e-6), nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))
        self.scale = nn.Parameter(torch.full((c, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.body(self.depthwise(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext(depths: Sequence[int] = (2, 2, 4, 2), width: int = 16) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 4), LayerNorm2d(width, 1e-6)]
    for stage, depth in enumerate(depths):
        c = width * 2**stage
        if stage:
            layers += [LayerNorm2d(c // 2, 1e-6), nn.Conv2d(c // 2, c, 2, 2)]
        layers += [ConvNeXtBlock(c) for _ in range(depth)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), LayerNorm2d(c, 1e-6), nn.Flatten(), nn.Linear(c, CLASSES))


class ResponseNorm(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(1, 1, 1, c)), nn.Parameter(torch.rand(1, 1, 1, c))

    def forward(self, x: Tensor) -> Tensor:
        length = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        return self.gamma * (x * (length / (length.mean(dim=-1, keepdim=True) + 1e-6))) + self.beta + x


def convnext_v2(depths: Sequence[int] = (3, 2), width: int = 16) -> nn.Sequential:
    """Woo et al. 2023: a response norm in each block, and no scale behind it."""
    network = convnext(depths, width)
    for block in network:
        if isinstance(block, ConvNeXtBlock):
            block.body.insert(3, ResponseNorm(block.depthwise.out_channels * 4))
            block.scale.data.fill_(1)
    return network


def convmixer(width: int = 24, depth: int = 4) -> nn.Sequential:
    """Trockman and Kolter 2022: activations before batch norms, and the same shape in all blocks."""

    def after(conv: nn.Conv2d) -> nn.Sequential:
        return nn.Sequential(conv, nn.GELU(), nn.BatchNorm2d(width))

    blocks = [
        nn.Sequential(
            Residual(after(nn.Conv2d(width, width, 7, padding=3, groups=width))), after(nn.Conv2d(width, width, 1))
        )
        for _ in range(depth)
    ]
    return nn.Sequential(after(nn.Conv2d(3, width, 4, 4)), *blocks, head(width))


class PoolFormerBlock(nn.Module):
    """Yu et al. 2022: a pool in place of attention, and group norms of a single group."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.before, self.pool = nn.GroupNorm(1, c), nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.body = nn.Sequential(nn.GroupNorm(1, c), nn.Conv2d(c, 4 * c, 1), nn.GELU(), nn.Conv2d(4 * c, c, 1))
        self.scales = nn.Parameter(torch.full((2, c, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x)
        x = x + self.scales[0] * (self.pool(y) - y)
        return x + self.scales[1] * self.body(x)


def poolformer() -> nn.Sequential:
    stages = [nn.Conv2d(3, 16, 7, 4, 2), *(PoolFormerBlock(16) for _ in range(3)), nn.Conv2d(16, 32, 3, 2, 1)]
    return nn.Sequential(*stages, *(PoolFormerBlock(32) for _ in range(3)), nn.GroupNorm(1, 32), head(32))
