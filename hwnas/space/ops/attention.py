"""Attention between tokens (Vaswani et al. 2017, arXiv:1706.03762). Its projections are `Linear` ops of their own."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.ops._op import Op, Shape


@dataclass(frozen=True)
class Attention(Op):
    """``softmax(Q K^T / sqrt(d) + bias) V`` per head.

    Reads queries ``(tokens, heads * d)``, keys and values ``(others, kv_heads * d)``, and optionally a bias
    ``(others,)`` per key, as `PaddingBias` makes it from a mask. MACs are those of both products, ``Q K^T`` and the
    weighted sum of values; a causal mask saves none, for runtimes compute the products whole.

    Attributes:
        heads: of the queries.
        kv_heads: of keys and values: fewer, where several query heads share one (Ainslie et al. 2023, arXiv:2305.13245).
        causal: whether a token sees only itself and those before it.
    """

    heads: int
    kv_heads: int
    causal: bool = False

    @property
    def shape(self) -> Shape:
        return (self.in_shape[0], self.heads * (self.in_shapes[2][1] // self.kv_heads))

    @property
    def macs(self) -> int:
        others = self.in_shapes[1][0]
        return others * (self.in_shape[0] * self.in_shape[1] + self.shape[0] * self.shape[1])

    @property
    def workspace(self) -> int:
        return self.heads * self.in_shape[0] * self.in_shapes[1][0]


@dataclass(frozen=True)
class PaddingBias(Op):
    """0 where a mask ``(tokens,)`` is 1, and `MASKED` where it is 0: what attention adds to the scores of keys."""

    @property
    def shape(self) -> Shape:
        return self.in_shape


MASKED = -1e4
"""Added to the score of a key that nobody is to see: its softmax is 0, in fp16 too."""
