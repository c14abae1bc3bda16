"""What Once-for-All's families have in common: how images enter, and how checkpoints spell tensors."""

from __future__ import annotations

from itertools import groupby

PREPROCESSING = (
    "RGB, bilinear resize of the shorter side to ceil(r / 0.875), centre crop r x r, divide by 255, "
    "mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
)


def one_spelling(key: str) -> str:
    """``blocks.1.mobile_inverted_conv.x.conv.conv.weight`` and ``blocks.1.conv.x.conv.weight`` are one tensor.

    Elastic layers wrap static ones (``conv.conv``, ``bn.bn``, ``linear.linear``), old files say
    ``mobile_inverted_conv``, and upstream's loader takes any of these for any other.
    """
    parts = key.replace("mobile_inverted_conv", "conv").split(".")
    return ".".join(part for part, _ in groupby(parts))
