"""Attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.space.ops import MASKED, Attention, PaddingBias
from hwnas.supernet.ops._run import Pass, run


@run.register
def _attention(op: Attention, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    """``(n, kv heads, query heads that share one, tokens, d)`` times ``(n, kv heads, 1, d, others)``."""
    query, key, value = (
        v.reshape(*v.shape[:2], op.kv_heads, -1, v.shape[2] // heads).permute(0, 2, 3, 1, 4)
        for v, heads in zip(x, (op.heads, op.kv_heads, op.kv_heads), strict=False)
    )
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if len(x) > 3:
        scores = scores + x[3][:, None, None, None]
    if op.causal:
        scores = scores + torch.full(scores.shape[-2:], MASKED, device=scores.device).triu(1)
    mixed: Tensor = (scores.softmax(-1) @ value).permute(0, 3, 1, 2, 4).flatten(2)
    return mixed


@run.register
def _padding_bias(op: PaddingBias, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return (1.0 - x[0].float()) * MASKED
