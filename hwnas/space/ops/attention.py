"""Attention between tokens (Vaswani et al. 2017, arXiv:1706.03762). Its projections are `Linear` ops of their own."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class SplitHeads(Op):
    """Channels of tokens ``(tokens, heads * d)`` by head: ``(heads, tokens, d)``, as caches of keys and values keep them."""

    heads: int

    @property
    def shape(self) -> Shape:
        tokens, channels = self.in_shape
        return (self.heads, tokens, channels // self.heads)


@dataclass(frozen=True)
class Attention(Op):
    """``softmax(Q K^T / sqrt(d) + bias) V`` per head.

    Reads queries ``(tokens, heads * d)``, keys and values ``(others, kv_heads * d)``, or all three as `SplitHeads` leaves
    them, and optionally a bias: ``(others,)`` per key, as `PaddingBias` makes it from a mask, or ``(tokens, others)``, as
    `CausalBias` does. MACs are those of both products, ``Q K^T`` and the weighted sum of values; a causal bias saves none,
    for runtimes compute the products whole.

    Attributes:
        heads: of the queries.
        kv_heads: of keys and values: fewer, where several query heads share one (Ainslie et al. 2023, arXiv:2305.13245).
    """

    heads: int
    kv_heads: int

    @property
    def split(self) -> bool:
        """Whether its inputs are split by heads."""
        return len(self.in_shape) == 3

    @property
    def tokens(self) -> int:
        """Queries of a head."""
        return self.in_shape[-2]

    @property
    def others(self) -> int:
        """Keys of a head."""
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
    """0 where a mask ``(tokens,)`` is 1, and `MASKED` where it is 0: what attention adds to the scores of keys."""

    @property
    def shape(self) -> Shape:
        return self.in_shape


@dataclass(frozen=True)
class CausalBias(Op):
    """What hides from each token those after it, and those that a mask says are none.

    Reads one integer per token, whatever it is, and the mask ``(others,)``, whose last ones are of these tokens.
    """

    @property
    def shape(self) -> Shape:
        return (*self.in_shape, *self.in_shapes[1])


MASKED = -1e4
"""Added to the score of a key that nobody is to see: its softmax is 0, in fp16 too."""
