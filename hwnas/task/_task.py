"""The protocol of tasks: data, in splits and batches of named inputs, and how a network's predictions are scored.

Image folders, digits, texts to classify and texts to continue are tasks that differ in their inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.errors import DataError
from hwnas.space import Shape, TensorSpec

Inputs = Tensor | Mapping[str, Tensor]
"""A batch: tensors by the names of a network's inputs, or the tensor of its only input, ``input``."""


def named_inputs(inputs: Inputs) -> Mapping[str, Tensor]:
    """The tensors of a batch by the names of a network's inputs."""
    return {"input": inputs} if isinstance(inputs, Tensor) else inputs


def map_inputs(change: Callable[[Tensor], Tensor], inputs: Inputs) -> Inputs:
    """The batch with each tensor changed."""
    return change(inputs) if isinstance(inputs, Tensor) else {name: change(x) for name, x in inputs.items()}


Specs = Mapping[str, TensorSpec]
"""A network's inputs by name (:func:`hwnas.space.network_inputs`); their shapes set resolution or length."""


def fitting(task: Task, inputs: Inputs, specs: Specs) -> Inputs:
    """A batch, if it fits the network's inputs. Batches of a user's task may not.

    Args:
        task: where the batch is from, for the message. A task that only watches another has that as ``task``.
        inputs: the batch.
        specs: the network's inputs.

    Raises:
        DataError: an input is missing, or has another shape or element type.
    """
    found = named_inputs(inputs)
    for name, spec in specs.items():
        wanted = f"{spec.element} of shape (n, {', '.join(map(str, spec.shape))})"
        value = f"a batch of {type(getattr(task, 'task', task)).__name__}"
        if name not in found:
            rule = f"it has {', '.join(found) or 'nothing'}, and the network is fed {name}, {wanted}"
            raise DataError(value, rule, "return a tensor for each of the specs")
        element, shape = str(found[name].dtype).removeprefix("torch."), found[name].shape
        open_axes = [*spec.axes, *[""] * (len(spec.shape) - len(spec.axes))]
        fits = len(shape) == 1 + len(spec.shape) and all(
            axis or size == own for axis, size, own in zip(open_axes, spec.shape, shape[1:], strict=True)
        )
        if not fits or element != spec.element:
            rule = f"its {name} is {element} of shape {tuple(shape)}, and the network is fed {wanted}"
            raise DataError(value, rule, "make batches of the specs that its methods are given")
    return inputs


def calibration(task: Task, specs: Specs) -> Iterator[Inputs]:
    """The task's calibration batches.

    Raises:
        DataError: one does not fit the network's inputs.
    """
    yield from (fitting(task, inputs, specs) for inputs in task.calibration(specs))


InputsAt = Callable[[Specs], Inputs]
"""Renders one batch for a network with these inputs."""

Scored = Iterable[tuple[Tensor, Tensor]]
"""Batches of logits ``(n, classes)`` and labels ``(n,)``."""

Score = Callable[[Scored], float]
"""The value of a metric over all batches; an `Estimate` if its standard error is known."""


class Estimate(float):
    """A score that knows its standard error: how far the choice of the samples moves it.

    A search that knows the errors of scores makes its front of the scores that are expected on other samples. `top1` is a
    plain number, since its error follows from its value and the number of samples.

    Attributes:
        std: the standard error, in the score's unit.
    """

    std: float

    def __new__(cls, value: float, std: float) -> Self:
        """A score and its standard error."""
        self = super().__new__(cls, value)
        self.std = float(std)
        return self


T = TypeVar("T", bound="Task")


class Task(Protocol):
    """Data to re-calibrate batch norms with, labelled data to measure on, and the metrics.

    Attributes:
        metrics: scores by their names in :mod:`hwnas.metric`; searches use the first.
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
    """A task that can give single validation samples, so that subnets can race."""

    @property
    def n_validation(self) -> int:
        """Number of validation samples."""

    def validation_of(self, specs: Specs, samples: Sequence[int]) -> Iterable[tuple[Inputs, Tensor]]:
        """As :meth:`Task.validation`, but only these samples, in this order; a sample is its position in ``validation``."""


@runtime_checkable
class TrainingTask(Task, Protocol):
    """A task with labelled training data, drawn by step number so that training resumes where it stopped."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training data."""

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """The batch of a step: its inputs, to be rendered for any subnet, and their labels ``(n,)``.

        In one step, subnets of different resolutions or lengths see the same (augmented) samples, so that the largest
        can teach the others.
        """


@runtime_checkable
class AlteringTask(TrainingTask, Protocol):
    """A task that can alter training samples further than their labels allow, for a subnet that learns from a teacher alone."""

    def altered(self, inputs: Inputs, step: int, seed: int) -> Inputs:
        """The inputs of a step's batch, altered. In one step, those of different resolutions or lengths are altered alike."""


@runtime_checkable
class PlacedTask(Task, Protocol):
    """A task that can finish its batches on a GPU, so that fewer bytes travel there."""

    def made_on(self, device: torch.device) -> Self:
        """The same data, in batches on this device."""


def placed(task: T, device: torch.device) -> T:
    """The same data, in batches on a device if it is a `PlacedTask`."""
    return task.made_on(device) if isinstance(task, PlacedTask) else task


@runtime_checkable
class OwnLossTask(TrainingTask, Protocol):
    """A task trained with a loss of its own: weighted classes, smoothed labels."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``()``, the mean loss of a batch with logits ``(n, classes)``; a subnet that learns from a teacher uses the
        teacher's probabilities instead."""


def loss_of(task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    """The task's own loss, or else cross-entropy."""
    return task.loss if isinstance(task, OwnLossTask) else F.cross_entropy


@runtime_checkable
class UserData(TrainingTask, Protocol):
    """Data from a user's folder.

    Attributes:
        has_training: whether there is training data.
        n_available: number of validation samples.
        noun: what a sample is, in the plural: ``images``, ``texts``.
        notes: sentences about the data and what is odd.
    """

    has_training: bool
    n_available: int
    noun: str
    notes: Sequence[str]

    def digest(self) -> str:
        """Digest of the validation and calibration samples: results stored for other samples are not used again."""


def digest_of(facts: Any) -> str:
    """Digest of a JSON value, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def image_shape(specs: Specs) -> Shape:
    """``(channels, height, width)`` of a network whose only input are images.

    Raises:
        DataError: it has other inputs.
    """
    if list(specs) != ["input"] or len(specs["input"].shape) != 3:
        raise DataError("data", f"they are images, and the network is fed {', '.join(specs)}", "pass data of its kind")
    return specs["input"].shape
