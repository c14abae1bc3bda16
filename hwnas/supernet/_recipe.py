"""The usual training of a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Optimizer = Literal["sgd", "adamw"]
"""SGD with Nesterov's momentum, or Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""


@dataclass(frozen=True)
class Recipe:
    """Defaults of fine-tuning on a user's data.

    Attributes:
        optimizer: see `Optimizer`.
        epochs: number of epochs.
        learning_rate: peak of the schedule.
        weight_decay: of the optimizer.
        clip_norm: largest norm of the gradients, which are scaled down to it; 0 leaves them alone.
        validates: whether to measure the largest, the smallest and a random subnet (or the only one that is trained)
            after each epoch, and to keep an earlier epoch that is clearly better than the last.
    """

    optimizer: Optimizer = "sgd"
    epochs: int = 10
    learning_rate: float = 0.02
    weight_decay: float = 1e-4
    clip_norm: float = 0.0
    validates: bool = False
