"""Attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.space.ops import MASKED, Attention, CausalBias, PaddingBias, SplitHeads
from hwnas.supernet.ops._run import Pass, run


@run.register
def _split_heads(op: SplitHeads, x: Sequence[Tensor], at: Pass) -> Tensor:
    return _by_head(x[0], op.heads)


@run.register
def _attention(op: Attention, x: Sequence[Tensor], at: Pass) -> Tensor:
    """Computed by torch's fused kernels, which need no memory for the scores."""
    query, key, value = (
        v if op.split else _by_head(v, heads) for v, heads in zip(x, (op.heads, op.kv_heads, op.kv_heads), strict=False)
    )
    bias = None
    if len(x) > 3:
        bias = (x[3][:, None, None] if x[3].dim() == 2 else x[3][:, None]).to(query.dtype)
    mixed = F.scaled_dot_product_attention(query, key, value, bias, enable_gqa=op.heads > op.kv_heads)
    return mixed.transpose(1, 2).flatten(2)


def _by_head(x: Tensor, heads: int) -> Tensor:
    """``(n, tokens, heads * d)`` as ``(n, heads, tokens, d)``."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


@run.register
def _padding_bias(op: PaddingBias, x: Sequence[Tensor], at: Pass) -> Tensor:
    return (1.0 - x[0].float()) * MASKED


@run.register
def _causal_bias(op: CausalBias, x: Sequence[Tensor], at: Pass) -> Tensor:
    tokens, others = (values.shape[1] for values in x)
    later = torch.full((tokens, others), MASKED, device=x[1].device).triu(1 + others - tokens)
    return later + (1.0 - x[1].float())[:, None] * MASKED
