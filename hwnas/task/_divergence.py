"""How far a language model has moved from its parent, token by token."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Divergence:
    """Sums over tokens, which add up over batches.

    Attributes:
        tokens: how many.
        kl_sum: Kullback-Leibler divergence of the network from its parent, ``sum p log(p / q)``, in nats.
        agreed: tokens whose likeliest successor is the parent's.
        loss_sum: negative log-likelihood of the token that follows in the text, in nats.
    """

    tokens: int = 0
    kl_sum: float = 0.0
    agreed: int = 0
    loss_sum: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def kl(self) -> float:
        """Mean divergence per token, in nats; NaN of none."""
        return self.kl_sum / self.tokens if self.tokens else float("nan")

    @property
    def agreement_pct(self) -> float:
        """Share of tokens whose likeliest successor is the parent's."""
        return 100 * self.agreed / self.tokens if self.tokens else float("nan")

    @property
    def perplexity(self) -> float:
        """Of the text."""
        return math.exp(min(self.loss_sum / self.tokens, 700.0)) if self.tokens else float("nan")


class Parent:
    """What the parent says of a batch.

    Args:
        logits: ``(n, t, vocabulary)``; its memory is used for their logarithms of probabilities.
        tokens: ``(n, t)`` that follow in the text.
    """

    def __init__(self, logits: Tensor, tokens: Tensor) -> None:
        flat = logits.flatten(0, -2)
        self.likeliest = flat.argmax(-1)
        self._tokens = tokens.flatten()
        self._log_p = flat.sub_(torch.logsumexp(flat, -1, keepdim=True))

    def __call__(self, logits: Tensor) -> Divergence:
        """How far a network of these ``(n, t, vocabulary)`` logits is from it."""
        flat = logits.flatten(0, -2)
        scale = torch.logsumexp(flat, -1)
        kl = 0.0
        for log_p, one, of_all in zip(self._log_p, flat, scale, strict=True):  # row by row: few arrays of a vocabulary
            log_q = one - of_all
            p = log_p.exp()
            # The sum of p log(p / q) alone is lost in rounding where blocks differ by their precision. With q - p, which
            # adds up to nothing, no term is below zero, and each is as small as the difference squared.
            kl += float((log_q.exp() - p + p * (log_p - log_q)).sum())
        told = flat.gather(1, self._tokens[:, None])[:, 0]
        return Divergence(
            len(flat),
            max(0.0, kl),
            int((flat.argmax(-1) == self.likeliest).sum()),
            float((scale - told).double().sum()),
        )
