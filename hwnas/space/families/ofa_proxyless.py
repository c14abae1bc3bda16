"""OFA-ProxylessNAS (Cai et al. 2020): inverted residuals without squeeze-excite, relu6; width 1.3."""

from __future__ import annotations

from hwnas.space._space import SearchSpace
from hwnas.space.families._blocks import round_channels
from hwnas.space.families._ofa import InvertedResidualNet, Stage, inverted_residual_space


def ofa_proxyless(width: float) -> SearchSpace:
    """``ofa_proxyless_w<width>``: 21 kernels, 21 expansions, 6 depths (the last is always 1), resolution."""
    base = zip((24, 40, 80, 96, 192, 320), (2, 2, 2, 1, 2, 1), strict=True)
    stages = tuple(
        Stage(round_channels(channels * width), stride, (2, 3, 4) if i < 5 else (1,), False, "relu6")
        for i, (channels, stride) in enumerate(base)
    )
    net = InvertedResidualNet(
        stem_channels=round_channels(32 * width),
        first_channels=round_channels(16 * width),
        first_skip=False,
        act="relu6",
        first_act="relu6",
        stages=stages,
        final_expand_channels=None,
        feature_channels=round_channels(1280 * width),
    )
    return inverted_residual_space(f"ofa_proxyless_w{width:.1f}", net)
