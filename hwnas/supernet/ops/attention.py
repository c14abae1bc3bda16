"""Attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hwnas.space.ops import MASKED, Attention, CausalBias, PaddingBias, SplitHeads
from hwnas.supernet.ops._run import Pass, run


@run.register
def _split_heads(op: SplitHeads, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return x[0].unflatten(-1, (op.heads, -1)).transpose(1, 2)


@run.register
def _attention(op: Attention, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    """``(n, kv heads, query heads that share one, tokens, d)`` times ``(n, kv heads, 1, d, others)``."""
    query, key, value = (
        (v if op.split else v.unflatten(-1, (heads, -1)).transpose(1, 2)).unflatten(1, (op.kv_heads, -1))
        for v, heads in zip(x, (op.heads, op.kv_heads, op.kv_heads), strict=False)
    )
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if len(x) > 3:
        scores = scores + (x[3][:, None, None, None] if x[3].dim() == 2 else x[3][:, None, None])
    mixed: Tensor = (scores.softmax(-1) @ value).permute(0, 3, 1, 2, 4).flatten(2)
    return mixed


@run.register
def _padding_bias(op: PaddingBias, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    return (1.0 - x[0].float()) * MASKED


@run.register
def _causal_bias(op: CausalBias, x: Sequence[Tensor], at: Pass) -> Tensor:  # noqa: ARG001
    tokens, others = (values.shape[1] for values in x)
    later = torch.full((tokens, others), MASKED, device=x[1].device).triu(1 + others - tokens)
    return later + (1.0 - x[1].float())[:, None] * MASKED
