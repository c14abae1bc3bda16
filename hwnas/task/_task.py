"""Task: what a network is for: its data, in splits and batches of named inputs, and how its answers are scored.

Image folders and digits are tasks; texts to classify or to continue are the same protocol with other inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.errors import DataError
from hwnas.space import Shape, TensorSpec

Inputs = Tensor | Mapping[str, Tensor]
"""A batch: one tensor for a network whose one input is ``input``, or tensors by the names of its inputs."""

Specs = Mapping[str, TensorSpec]
"""What a network is fed, by name, as :func:`hwnas.space.network_inputs` tells: its shapes set resolution or length."""

InputsAt = Callable[[Specs], Inputs]
"""Renders one batch for a network's inputs."""

Scored = Iterable[tuple[Tensor, Tensor]]
"""Batches of logits ``(n, classes)`` and labels ``(n,)``."""

Score = Callable[[Scored], float]
"""The value of a metric over all batches."""


T = TypeVar("T", bound="Task")


class Task(Protocol):
    """Data to re-calibrate batch norms with, labelled data to measure on, and what is measured.

    Attributes:
        metrics: scores by the names of :mod:`hwnas.metric`; the first is the one that searches go by.
        labels: names of the classes in the order of the logits; empty if they have none.
    """

    metrics: Mapping[str, Score]
    labels: tuple[str, ...]

    def calibration(self, specs: Specs) -> Iterable[Inputs]:
        """Batches of training data, the same at every call."""

    def validation(self, specs: Specs) -> Iterable[tuple[Inputs, Tensor]]:
        """Batches with labels ``(n,)``, the same at every call."""


@runtime_checkable
class SelectiveTask(Task, Protocol):
    """A task of which single validation samples can be asked for, so that subnets can race."""

    @property
    def n_validation(self) -> int:
        """How many there are."""

    def validation_of(self, specs: Specs, samples: Sequence[int]) -> Iterable[tuple[Inputs, Tensor]]:
        """As :meth:`Task.validation`, of these samples alone and in this order; they are numbered in the order of
        ``validation``."""


@runtime_checkable
class TrainingTask(Task, Protocol):
    """Labelled training data too, drawn by step number so that a run resumes where it stopped."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training data."""

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """The batch of a step: its inputs for any network of the supernet, and their labels ``(n,)``.

        Subnets of different resolutions or lengths see the same (augmented) samples in one step, which is what lets
        the largest teach the others.
        """


@runtime_checkable
class PlacedTask(Task, Protocol):
    """A task that can make its batches on a GPU, to which its samples travel in fewer bytes than a network is fed."""

    def made_on(self, device: torch.device) -> Self:
        """The same data, in batches on that device."""


def placed(task: T, device: torch.device) -> T:
    """The same data, in batches on a device where the task can make them there."""
    return task.made_on(device) if isinstance(task, PlacedTask) else task


@runtime_checkable
class OwnLossTask(TrainingTask, Protocol):
    """Training by another loss than cross-entropy: classes that weigh more, labels that are smoothed."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``()``, the mean over a batch of logits ``(n, classes)``; subnets that are taught by another one learn from
        its probabilities instead."""


def loss_of(task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    """What labels are learnt by: the task's own loss, or cross-entropy."""
    return task.loss if isinstance(task, OwnLossTask) else F.cross_entropy


@runtime_checkable
class UserData(TrainingTask, Protocol):
    """Data in a folder of the user's.

    Attributes:
        has_training: whether there are data to learn from.
        n_available: validation samples there are.
        noun: what they are called: ``images``, ``texts``.
        notes: what is odd about them, in words.
    """

    has_training: bool
    n_available: int
    noun: str
    notes: Sequence[str]

    def digest(self) -> str:
        """Of the samples that are measured on and calibrated with: what was kept of others is not taken up again."""


def digest_of(facts: Any) -> str:
    """Digest of JSON values."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def image_shape(specs: Specs) -> Shape:
    """``(channels, height, width)`` of a network that is fed images alone.

    Raises:
        DataError: it is fed something else.
    """
    if list(specs) != ["input"] or len(specs["input"].shape) != 3:
        raise DataError("data", f"they are images, and the network is fed {', '.join(specs)}", "pass data of its kind")
    return specs["input"].shape
