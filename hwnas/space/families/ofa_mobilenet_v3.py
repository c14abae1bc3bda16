"""OFA-MobileNetV3 (Cai et al. 2020): squeeze-excite, hard swish; widths 1.0 and 1.2."""

from __future__ import annotations

from hwnas.space._space import SearchSpace
from hwnas.space.families._blocks import round_channels
from hwnas.space.families._ofa import InvertedResidualNet, Stage, inverted_residual_space


def ofa_mobilenet_v3(width: float) -> SearchSpace:
    """``ofa_mbv3_w<width>``: 20 kernels, 20 expansions, 5 depths, resolution."""
    base = zip((24, 40, 80, 112, 160), (2, 2, 2, 1, 2), (False, True, False, True, True), strict=True)
    stages = tuple(
        Stage(round_channels(channels * width), stride, (2, 3, 4), se, "relu" if i < 2 else "hswish")
        for i, (channels, stride, se) in enumerate(base)
    )
    net = InvertedResidualNet(
        stem_channels=round_channels(16 * width),
        first_channels=round_channels(16 * width),
        first_skip=True,
        act="hswish",
        first_act="relu",
        stages=stages,
        final_expand_channels=round_channels(960 * width),
        feature_channels=round_channels(1280 * width),
    )
    return inverted_residual_space(f"ofa_mbv3_w{width:.1f}", net)
