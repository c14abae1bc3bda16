"""How a family is usually trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Optimizer = Literal["sgd", "adamw"]
"""SGD with Nesterov's momentum, or Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""


@dataclass(frozen=True)
class Recipe:
    """Defaults of fine-tuning to a user's data.

    Attributes:
        optimizer: see `Optimizer`.
        epochs, learning_rate, weight_decay: of the run; the rate is its peak.
        clip_norm: gradients are scaled down to this norm; 0 leaves them alone.
        validates: whether the largest, the smallest and a random subnet (or the one that is trained alone) are measured
            after each epoch, and the best epoch is kept.
    """

    optimizer: Optimizer = "sgd"
    epochs: int = 10
    learning_rate: float = 0.02
    weight_decay: float = 1e-4
    clip_norm: float = 0.0
    validates: bool = False
