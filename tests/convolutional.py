"""Published convolutional architectures in torch, small: all of their structure, few channels, random weights.

They follow the papers and torchvision's code; `exported` writes one as ONNX, as a user would.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE, CLASSES = 64, 10


def conv_bn(
    i: int, o: int, k: int = 1, s: int = 1, g: int = 1, act: Callable[[], nn.Module] | None = nn.ReLU
) -> nn.Sequential:
    """Convolution, batch norm and activation."""
    layers: list[nn.Module] = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act is not None else []))


def head(i: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, CLASSES))


# --- ResNet (He et al. 2015) ------------------------------------------------------------------


class Residual(nn.Module):
    """A body, and a shortcut that is projected where shapes differ; an activation after the sum, if asked."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, act: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or nn.Identity(), act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


def resnet(depths: Sequence[int], width: int, *, bottleneck: bool) -> nn.Sequential:
    stages: list[nn.Module] = [conv_bn(3, width, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, depth in enumerate(depths):
        mid = width * 2**stage
        out = mid * 4 if bottleneck else mid
        for i in range(depth):
            s = 2 if stage and not i else 1
            if bottleneck:
                body = nn.Sequential(conv_bn(channels, mid), conv_bn(mid, mid, 3, s), conv_bn(mid, out, act=None))
            else:
                body = nn.Sequential(conv_bn(channels, mid, 3, s), conv_bn(mid, out, 3, act=None))
            shortcut = conv_bn(channels, out, 1, s, act=None) if s > 1 or channels != out else None
            stages.append(Residual(body, shortcut, nn.ReLU()))
            channels = out
    return nn.Sequential(*stages, head(channels))


# --- residual networks with group norms -------------------------------------------------------


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


# --- MobileNets (Sandler et al. 2018, Howard et al. 2019) -------------------------------------


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, gate: Callable[[], nn.Module] = nn.Hardsigmoid) -> None:
        super().__init__()
        mid = max(4, channels // 4)
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, mid, 1), nn.ReLU(), nn.Conv2d(mid, channels, 1), gate()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.body(x)


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


# --- networks that join by concatenation ------------------------------------------------------


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


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: resnet((2, 2, 2, 2), 16, bottleneck=False),
    "resnet50": lambda: resnet((2, 3, 4, 2), 16, bottleneck=True),
    "resnet_gn": resnet_gn,
    "bit": bit,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "mobilefacenet": mobilefacenet,
    "convnext": convnext,
    "convmixer": convmixer,
    "squeezenet": squeezenet,
    "shufflenet_v2": shufflenet_v2,
    "densenet": densenet,
    "cspdarknet": cspdarknet,
    "googlenet": googlenet,
    "vgg": vgg,
}


def network(name: str, seed: int = 0) -> nn.Module:
    """One of `NETWORKS`, as `initialised`."""
    torch.manual_seed(seed)
    return initialised(NETWORKS[name]())


def initialised(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, with statistics that batch norms could have seen."""
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d):
            for tensor, low, high in (
                (each.weight, 0.5, 1.5),
                (each.bias, -0.2, 0.2),
                (each.running_mean, -0.2, 0.2),
                (each.running_var, 0.5, 1.5),
            ):
                assert tensor is not None
                nn.init.uniform_(tensor, low, high)
        elif isinstance(each, (nn.GroupNorm, nn.InstanceNorm2d)):
            nn.init.uniform_(each.weight, 0.5, 1.5)
            nn.init.uniform_(each.bias, -0.2, 0.2)
        elif isinstance(each, nn.PReLU):
            nn.init.uniform_(each.weight, -0.2, 0.4)
    return module.eval()


def exported(module: nn.Module, path: Path, *, fold: bool = True, size: int = SIZE, opset: int = 17) -> Path:
    """The module as ONNX; ``fold`` makes batch norms part of the convolutions, as exporters do by default."""
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the older one
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, size, size),),
            str(path),
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": {0: "n"}, "scores": {0: "n"}},
            opset_version=opset,
            training=mode,
            do_constant_folding=fold,
            dynamo=False,
        )
    return path
