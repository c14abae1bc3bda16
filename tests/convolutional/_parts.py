"""What the architectures have in common: convolutions with norms, residual blocks, gates, heads."""

from __future__ import annotations

from collections.abc import Callable

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


class Residual(nn.Module):
    """A body, and a shortcut that is projected where shapes differ; an activation after the sum, if asked."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, act: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or nn.Identity(), act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, gate: Callable[[], nn.Module] = nn.Hardsigmoid) -> None:
        super().__init__()
        mid = max(4, channels // 4)
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, mid, 1), nn.ReLU(), nn.Conv2d(mid, channels, 1), gate()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.body(x)
