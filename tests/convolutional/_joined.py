"""Networks that join by concatenation, and plain chains."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.convolutional._parts import CLASSES, Residual, conv_bn, head


class Branches(nn.Module):
    """Several bodies on one input, joined along the channels."""

    def __init__(self, *bodies: nn.Module) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([body(x) for body in self.bodies], 1)


def squeezenet() -> nn.Sequential:
    """Version 1.1 (Iandola et al. 2016): no batch norms, convolutions to the end."""

    def conv(i: int, o: int, k: int = 1, s: int = 1) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2), nn.ReLU())

    def fire(i: int, squeeze: int, expand: int) -> nn.Sequential:
        return nn.Sequential(conv(i, squeeze), Branches(conv(squeeze, expand), conv(squeeze, expand, 3)))

    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    fires = [fire(32, 8, 16), fire(32, 8, 16), pool, fire(32, 16, 32), fire(64, 16, 32), pool, fire(64, 24, 48)]
    tail = (nn.Dropout(), conv(96, CLASSES), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(conv(3, 32, 3, 2), pool, *fires, *tail)


def googlenet() -> nn.Sequential:
    """Inception v1 with batch norms (Szegedy et al. 2014)."""

    def inception(i: int, one: int, red3: int, three: int, red5: int, five: int, proj: int) -> Branches:
        return Branches(
            conv_bn(i, one),
            nn.Sequential(conv_bn(i, red3), conv_bn(red3, three, 3)),
            nn.Sequential(conv_bn(i, red5), conv_bn(red5, five, 3)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv_bn(i, proj)),
        )

    def pool() -> nn.MaxPool2d:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    stem = (conv_bn(3, 16, 7, 2), pool(), conv_bn(16, 16), conv_bn(16, 48, 3), pool())
    bodies = (
        inception(48, 16, 24, 32, 8, 16, 8),
        inception(72, 32, 32, 48, 8, 24, 16),
        pool(),
        inception(120, 48, 24, 52, 8, 16, 16),
    )
    return nn.Sequential(*stem, *bodies, head(132))


class Inception(nn.Module):
    """Version 3 (Szegedy et al. 2015), for images that were standardised as ResNet's; its mean pools count the zeros around."""

    def __init__(self) -> None:
        super().__init__()

        def average(i: int, o: int) -> nn.Sequential:
            return nn.Sequential(nn.AvgPool2d(3, 1, 1), conv_bn(i, o))

        def line(i: int, o: int, k: tuple[int, int]) -> nn.Sequential:
            pads = (k[0] // 2, k[1] // 2)
            return nn.Sequential(nn.Conv2d(i, o, k, padding=pads, bias=False), nn.BatchNorm2d(o, eps=1e-3), nn.ReLU())

        a = (conv_bn(16, 16), nn.Sequential(conv_bn(16, 12), conv_bn(12, 16, 5)), average(16, 16))
        b = (nn.Sequential(conv_bn(48, 16), conv_bn(16, 24, 3, 2)), nn.MaxPool2d(3, 2, 1))
        c = (
            conv_bn(72, 16),
            nn.Sequential(conv_bn(72, 16), line(16, 16, (1, 7)), line(16, 16, (7, 1))),
            average(72, 8),
        )
        self.body = nn.Sequential(conv_bn(3, 16, 3, 2), Branches(*a), Branches(*b), Branches(*c), head(40))

    def forward(self, x: Tensor) -> Tensor:
        each = zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
        adapted = [x[:, i].unsqueeze(1) * (std / 0.5) + (mean - 0.5) / 0.5 for i, (mean, std) in enumerate(each)]
        return self.body(torch.cat(adapted, 1))


class ShuffleUnit(nn.Module):
    """ShuffleNetV2 (Ma et al. 2018): half of the channels pass, or both halves are strided; then the channels are shuffled."""

    def __init__(self, i: int, o: int, s: int) -> None:
        super().__init__()
        half = o // 2
        self.left = nn.Sequential(conv_bn(i, i, 3, 2, i, None), conv_bn(i, half)) if s > 1 else None
        self.right = nn.Sequential(
            conv_bn(i if s > 1 else half, half), conv_bn(half, half, 3, s, half, None), conv_bn(half, half)
        )

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1) if self.left is None else (self.left(x), x)
        y = torch.cat([left, self.right(right)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shufflenet_v2() -> nn.Sequential:
    layers: list[nn.Module] = [conv_bn(3, 16, 3, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 16
    for o, n in ((32, 4), (64, 8), (96, 4)):
        for i in range(n):
            layers.append(ShuffleUnit(channels, o, 1 if i else 2))
            channels = o
    return nn.Sequential(*layers, conv_bn(channels, 128), head(128))


class CrossStage(nn.Module):
    """CSPDarknet53 of YOLOv4 (Bochkovskiy et al. 2020): half of the channels go around the residual blocks."""

    def __init__(self, i: int, o: int, n: int) -> None:
        super().__init__()
        half, mish = o // 2, nn.Mish
        self.down, self.around, self.into = (
            conv_bn(i, o, 3, 2, act=mish),
            conv_bn(o, half, act=mish),
            conv_bn(o, half, act=mish),
        )
        bodies = (nn.Sequential(conv_bn(half, half, act=mish), conv_bn(half, half, 3, act=mish)) for _ in range(n))
        self.blocks = nn.Sequential(*map(Residual, bodies), conv_bn(half, half, act=mish))
        self.join = conv_bn(o, o, act=mish)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return self.join(torch.cat([self.blocks(self.into(x)), self.around(x)], 1))


def cspdarknet() -> nn.Sequential:
    stages = [CrossStage(i, o, n) for i, o, n in ((16, 24, 1), (24, 32, 2), (32, 48, 2))]
    return nn.Sequential(conv_bn(3, 16, 3, act=nn.Mish), *stages, head(48))


class OneShot(nn.Module):
    """VoVNetV2's block (Lee and Park 2020): its layers are joined once, then gated."""

    def __init__(self, i: int, mid: int, o: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(conv_bn(mid if j else i, mid, 3) for j in range(3))
        self.join = conv_bn(i + 3 * mid, o)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(o, o, 1), nn.Hardsigmoid())
        self.residual = i == o

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(found[-1]))
        y = self.join(torch.cat(found, 1))
        return y * self.gate(y) + x if self.residual else y * self.gate(y)


def vovnet() -> nn.Sequential:
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    blocks = (OneShot(32, 16, 48), OneShot(48, 16, 48), pool, OneShot(48, 24, 64), pool, OneShot(64, 24, 80))
    return nn.Sequential(conv_bn(3, 16, 3, 2), conv_bn(16, 16, 3), conv_bn(16, 32, 3, 2), *blocks, head(80))


class DenseBlock(nn.Module):
    """DenseNet (Huang et al. 2017): each layer sees all that came before."""

    def __init__(self, i: int, growth: int, n: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                *(nn.BatchNorm2d(i + j * growth), nn.ReLU(), conv_bn(i + j * growth, 4 * growth)),
                nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
            )
            for j in range(n)
        )

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return torch.cat(found, 1)


def densenet(depths: Sequence[int] = (3, 4, 3), growth: int = 8) -> nn.Sequential:
    layers: list[nn.Module] = [conv_bn(3, 16, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 16
    for i, depth in enumerate(depths):
        layers.append(DenseBlock(channels, growth, depth))
        channels += depth * growth
        layers += [nn.BatchNorm2d(channels), nn.ReLU()]
        if i + 1 < len(depths):
            layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2, 2)]
            channels //= 2
    return nn.Sequential(*layers, head(channels))


def vgg() -> nn.Sequential:
    """Plain (Simonyan and Zisserman 2014), with a head that flattens a feature map: its image size cannot change."""
    layers: list[nn.Module] = []
    channels = 3
    for o, n in ((16, 1), (24, 1), (32, 2), (48, 2), (48, 2)):
        for _ in range(n):
            layers.append(conv_bn(channels, o, 3))
            channels = o
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 4, 64), nn.ReLU(), nn.Linear(64, CLASSES))


class RepBlock(nn.Module):
    """RepVGG's block (Ding et al. 2021), as it is trained: two convolutions and the input, each with a batch norm."""

    def __init__(self, i: int, o: int, s: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([conv_bn(i, o, 3, s, act=None), conv_bn(i, o, 1, s, act=None)])
        if s == 1:
            self.branches.append(nn.BatchNorm2d(i))

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (branch(x) for branch in self.branches)
        return torch.relu(sum(others, first))


def repvgg() -> nn.Sequential:
    layers = [RepBlock(3, 16, 2)]
    for i, o, n in ((16, 24, 2), (24, 32, 3), (32, 48, 2)):
        layers += [RepBlock(o if j else i, o, 1 if j else 2) for j in range(n)]
    return nn.Sequential(*layers, head(48))


def alexnet() -> nn.Sequential:
    """Krizhevsky et al. 2012, without norms: single convolutions between pools, and three linear maps."""
    layers: list[nn.Module] = []
    for i, o, k, s, pool in ((3, 16, 11, 4, True), (16, 32, 5, 1, True), (32, 48, 3, 1, False), (48, 32, 3, 1, True)):
        layers += [nn.Conv2d(i, o, k, s, k // 2), nn.ReLU(), *([nn.MaxPool2d(3, 2, 1)] if pool else [])]
    tail = (nn.Linear(32 * 4, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, CLASSES))
    return nn.Sequential(*layers, nn.Flatten(), *tail)
