"""How far a language model has moved from its parent, token by token."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Divergence:
    """Sums over tokens; those of two batches can be added.

    Attributes:
        tokens: number of tokens.
        kl_sum: Kullback-Leibler divergence of the network (q) from its parent (p), ``sum p log(p / q)``, in nats.
        agreed: number of tokens for which both predict the same next token.
        loss_sum: negative log-likelihood of the next tokens of the text, in nats.
    """

    tokens: int = 0
    kl_sum: float = 0.0
    agreed: int = 0
    loss_sum: float = 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def kl(self) -> float:
        """Mean divergence per token, in nats; NaN without tokens."""
        return self.kl_sum / self.tokens if self.tokens else float("nan")

    @property
    def agreement_pct(self) -> float:
        """Share of tokens for which both predict the same next token, in percent; NaN without tokens."""
        return 100 * self.agreed / self.tokens if self.tokens else float("nan")

    @property
    def perplexity(self) -> float:
        """Perplexity of the text; NaN without tokens."""
        return math.exp(min(self.loss_sum / self.tokens, 700.0)) if self.tokens else float("nan")


class Parent:
    """A parent's predictions on a batch, with which those of other networks are compared.

    Args:
        logits: ``(n, t, vocabulary)`` of the parent; overwritten by log-probabilities, to save memory.
        tokens: ``(n, t)`` the next tokens of the text.
    """

    def __init__(self, logits: Tensor, tokens: Tensor) -> None:
        flat = logits.flatten(0, -2)
        self.likeliest = flat.argmax(-1)
        self._tokens = tokens.flatten()
        self._log_p = flat.sub_(torch.logsumexp(flat, -1, keepdim=True))

    def __call__(self, logits: Tensor) -> Divergence:
        """The divergence of a network with logits ``(n, t, vocabulary)`` from the parent."""
        flat = logits.flatten(0, -2)
        scale = torch.logsumexp(flat, -1)
        kl = 0.0
        for log_p, row, row_scale in zip(self._log_p, flat, scale, strict=True):  # one token at a time saves memory
            log_q = row - row_scale
            p = log_p.exp()
            # Where the networks differ in precision alone, rounding swamps the sum of p log(p / q). The terms q - p add up
            # to zero over the vocabulary; with them every summand is at least zero, of the order of the squared difference.
            kl += float((log_q.exp() - p + p * (log_p - log_q)).sum())
        following = flat.gather(1, self._tokens[:, None])[:, 0]
        return Divergence(
            len(flat),
            max(0.0, kl),
            int((flat.argmax(-1) == self.likeliest).sum()),
            float((scale - following).double().sum()),
        )
