"""What evaluation and training ask of a data set: batches of images at the input shape of a subnet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from torch import Tensor

from hwnas.space import Shape

ImagesAt = Callable[[Shape], Tensor]
"""Renders one batch of images ``(n, channels, height, width)`` for an input shape ``(channels, height, width)``."""


class EvaluationData(Protocol):
    """Images to re-calibrate batch norms with, and labelled images to measure accuracy on."""

    def calibration(self, shape: Shape) -> Iterable[Tensor]:
        """Batches ``(n, *shape)`` of training images, the same at every call."""

    def validation(self, shape: Shape) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches ``(n, *shape)`` with labels ``(n,)``, the same at every call."""


@runtime_checkable
class TrainingData(EvaluationData, Protocol):
    """Labelled training images, drawn by step number so that a run resumes where it stopped."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training images."""

    def training_batch(self, step: int, seed: int) -> tuple[ImagesAt, Tensor]:
        """The batch of a step: its images at any resolution, and their labels ``(n,)``.

        Subnets of different resolutions see the same (augmented) images in one step, which is what
        lets the largest teach the others.
        """
