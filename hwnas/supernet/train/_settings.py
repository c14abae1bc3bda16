"""What a run of training depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainSettings:
    """Everything that a run depends on besides the supernet and its data.

    Attributes:
        epochs: passes over the training data.
        steps: of the run, whatever the epochs are; 0 for those of all epochs.
        seed: of weights, images and subnets.
        schedule: ``"sandwich"``, ``"shrinking"`` or ``"alone"``.
        learning_rate: its peak; it rises linearly over the first ``rise`` of the steps, then falls by a cosine to 0.
        optimizer: ``"sgd"`` (Nesterov) or ``"adamw"``.
        momentum: of SGD.
        weight_decay: of weights of convolutions and linear maps.
        clip_norm: gradients are scaled down to this norm; 0 leaves them alone.
        validates: whether subnets are measured after each epoch, and the best epoch is kept.
        precision: of arithmetic, ``"fp32"`` or ``"bf16"`` (autocast); weights, gradients and statistics stay fp32.
        arch: of the one subnet that is trained, as JSON, taught by the largest as it was, whatever the schedule; empty for
            all of them.
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
        """For state files and provenance; those of runs that train all subnets have no ``arch``."""
        return {name: value for name, value in asdict(self).items() if name != "arch" or value}
