"""Attention between tokens (Vaswani et al. 2017, arXiv:1706.03762). Its projections are separate `Linear` ops."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class SplitHeads(Op):
    """``(tokens, heads * d)`` to ``(heads, tokens, d)``, which is the layout of caches of keys and values."""

    heads: int

    @property
    def shape(self) -> Shape:
        tokens, channels = self.in_shape
        return (self.heads, tokens, channels // self.heads)


@dataclass(frozen=True)
class Attention(Op):
    """``softmax(Q K^T / sqrt(d) + bias) V`` for each head.

    Inputs are queries ``(tokens, heads * d)``, keys and values ``(others, kv_heads * d)``, or the outputs of `SplitHeads` for all
    three; and optionally a bias ``(others,)`` (`PaddingBias`) or ``(tokens, others)`` (`CausalBias`). MACs count both products,
    ``Q K^T`` and the weighted sum of values, in full, even with a causal bias, because runtimes compute them in full.

    Attributes:
        heads: of the queries.
        kv_heads: of keys and values; fewer if several query heads share one (Ainslie et al. 2023, arXiv:2305.13245).
    """

    heads: int
    kv_heads: int

    @property
    def split(self) -> bool:
        """Whether its inputs come from `SplitHeads`."""
        return len(self.in_shape) == 3

    @property
    def tokens(self) -> int:
        """Number of queries."""
        return self.in_shape[-2]

    @property
    def others(self) -> int:
        """Number of keys."""
        return self.in_shapes[1][-2]

    @property
    def size(self) -> int:
        """``d`` of queries and keys."""
        return self.in_shape[-1] if self.split else self.in_shape[-1] // self.heads

    @property
    def depth(self) -> int:
        """``d`` of values."""
        return self.in_shapes[2][-1] if self.split else self.in_shapes[2][-1] // self.kv_heads

    @property
    def shape(self) -> Shape:
        return (self.tokens, self.heads * self.depth)

    @property
    def macs(self) -> int:
        return self.others * (prod(self.in_shape) + prod(self.shape))

    @property
    def workspace(self) -> int:
        return self.heads * self.tokens * self.others


@dataclass(frozen=True)
class PaddingBias(Op):
    """Bias for the scores of keys: 0 where a mask ``(tokens,)`` is 1, and `MASKED` where it is 0."""


@dataclass(frozen=True)
class CausalBias(Op):
    """Bias ``(tokens, others)`` that hides from each token the later tokens, and those where a mask is 0.

    Inputs are any integers ``(tokens,)``, for their number, and the mask ``(others,)``, which ends with these tokens.
    """

    @property
    def shape(self) -> Shape:
        return (*self.in_shape, *self.in_shapes[1])


MASKED = -1e4
"""Added to the score of a hidden key: its softmax is 0, also in fp16."""
