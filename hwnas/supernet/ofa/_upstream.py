"""What Once-for-All's families have in common: how checkpoints spell tensors."""

from __future__ import annotations

from itertools import groupby


def one_spelling(key: str) -> str:
    """``blocks.1.mobile_inverted_conv.x.conv.conv.weight`` and ``blocks.1.conv.x.conv.weight`` are one tensor.

    Elastic layers wrap static ones (``conv.conv``, ``bn.bn``, ``linear.linear``), old files say
    ``mobile_inverted_conv``, and upstream's loader takes any of these for any other.
    """
    parts = key.replace("mobile_inverted_conv", "conv").split(".")
    return ".".join(part for part, _ in groupby(parts))
