"""The settings of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainSettings:
    """Everything that a run depends on besides the supernet and its data.

    Attributes:
        epochs: passes over the training data.
        steps: number of steps; 0 takes those of all epochs.
        seed: of weights, images and subnets.
        schedule: ``"sandwich"``, ``"shrinking"`` or ``"alone"``.
        learning_rate: its peak; it rises linearly over the share ``rise`` of the steps, then falls to 0 as a cosine.
        rise: see ``learning_rate``.
        optimizer: ``"sgd"`` (Nesterov) or ``"adamw"``.
        momentum: of SGD.
        weight_decay: of the weights of convolutions and linear maps.
        clip_norm: largest norm of the gradients, which are scaled down to it; 0 leaves them alone.
        validates: whether to measure subnets after each epoch, and to keep an earlier one that is clearly better than the last.
        precision: of arithmetic, ``"fp32"`` or ``"bf16"`` (autocast). Weights, gradients and statistics stay fp32.
        arch: JSON of the only subnet to train, with the largest as it was before for a teacher, whatever the schedule;
            empty trains all subnets.
    """

    epochs: int = 400
    steps: int = 0
    seed: int = 0
    schedule: str = "sandwich"
    learning_rate: float = 0.1
    rise: float = 0.05
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    clip_norm: float = 0.0
    validates: bool = False
    precision: str = "fp32"
    arch: str = ""

    def to_json(self) -> dict[str, Any]:
        """For state files and provenance. ``arch`` is left out where all subnets are trained."""
        return {name: value for name, value in asdict(self).items() if name != "arch" or value}
