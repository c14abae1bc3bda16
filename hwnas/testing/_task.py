"""What every task must do: return data that fit the network's inputs, the same at every call."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

import torch

from hwnas.metric import get_metric
from hwnas.task import AlteringTask, Estimate, Inputs, Specs, Task, TrainingTask, named_inputs
from hwnas.testing._check import Check, require

T = TypeVar("T")

BATCHES = 2
"""Batches of each split that are checked."""


def batches_fit_the_inputs(task: Task, specs: Specs) -> None:
    """Batches have a tensor for each input, with its shape and element type."""
    for inputs in [*islice(task.calibration(specs), BATCHES), *(x for x, _ in islice(task.validation(specs), BATCHES))]:
        _require_fitting(inputs, specs)


def splits_are_the_same_at_every_call(task: Task, specs: Specs) -> None:
    """Calibration and validation return the same batches at every call."""
    for one, other in zip(_first(task.calibration(specs)), _first(task.calibration(specs)), strict=True):
        require(_equal(one, other), "calibration differs from call to call")
    for (x, y), (again, labels) in zip(_first(task.validation(specs)), _first(task.validation(specs)), strict=True):
        require(_equal(x, again) and torch.equal(y, labels), "validation differs from call to call")


def labels_are_numbers_of_classes(task: Task, specs: Specs) -> None:
    """Labels are integers ``(n,)``, one per sample; if classes have names, every label has one."""
    for x, y in _first(task.validation(specs)):
        n = len(next(iter(named_inputs(x).values())))
        require(
            y.shape[:1] == (n,) and not y.is_floating_point(), f"labels of {n} samples are {y.dtype}, {tuple(y.shape)}"
        )
        if task.labels:
            known = bool(((y >= 0) & (y < len(task.labels))).all())
            require(known, f"a label has no name among {len(task.labels)}")


def metrics_are_registered_and_score(task: Task, specs: Specs) -> None:
    """Metrics are registered, and right logits score a possible value that is better than that of wrong ones."""
    require(task.metrics, "it has no metrics")
    batches = _first(task.validation(specs))
    classes = len(task.labels) or 1 + max(int(y.max()) for _, y in batches)
    right = [(10 * torch.nn.functional.one_hot(y.long(), classes).float(), y) for _, y in batches]
    wrong = [(logits.roll(1, -1), y) for logits, y in right]
    for name, score in task.metrics.items():
        metric = get_metric(name)
        best, worst = score(right), score(wrong)
        require(metric.lowest <= best <= metric.highest, f"{name} of right logits is {best}")
        better = best > worst if metric.maximise else best < worst
        require(better or classes == 1, f"{name} of right logits is {best}, of wrong ones {worst}")
        errors = [value.std for value in (best, worst) if isinstance(value, Estimate)]
        require(all(0 < std < math.inf for std in errors), f"standard errors of {name} are {errors}")


def training_batches_can_be_drawn_again(task: Task, specs: Specs) -> None:
    """A training step has the same samples at every call; other steps and seeds have others."""
    if not isinstance(task, TrainingTask):
        return
    require(task.steps_per_epoch >= 1, "an epoch has no step")
    (at, y), (again, labels) = task.training_batch(0, 1), task.training_batch(0, 1)
    inputs = at(specs)
    _require_fitting(inputs, specs)
    require(_equal(inputs, again(specs)) and torch.equal(y, labels), "a step differs from call to call")
    for step, seed in ((1, 1), (0, 2)):
        other = task.training_batch(step, seed)[0](specs)
        require(not _equal(inputs, other), f"step {step} of seed {seed} is step 0 of seed 1")


def altered_batches_fit_and_can_be_drawn_again(task: Task, specs: Specs) -> None:
    """Batches that are altered for subnets with a teacher are as large as before, other ones, and the same at every call."""
    if not isinstance(task, AlteringTask):
        return
    inputs = task.training_batch(0, 1)[0](specs)
    altered, again = task.altered(inputs, 0, 1), task.altered(inputs, 0, 1)
    _require_fitting(altered, specs)
    sizes = {len(batch) for batch in (*named_inputs(inputs).values(), *named_inputs(altered).values())}
    require(len(sizes) == 1, f"batches before and after have {sizes} samples")
    require(_equal(altered, again), "an altered step differs from call to call")
    require(not _equal(altered, inputs), "nothing is altered")
    require(_equal(inputs, task.training_batch(0, 1)[0](specs)), "the batch itself is changed")


def _first(batches: Iterable[T]) -> list[T]:
    return list(islice(batches, BATCHES))


def _equal(one: Inputs, other: Inputs) -> bool:
    a, b = named_inputs(one), named_inputs(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _require_fitting(inputs: Inputs, specs: Specs) -> None:
    found = named_inputs(inputs)
    require(found.keys() == specs.keys(), f"a batch has {', '.join(found)}, the network is fed {', '.join(specs)}")
    for name, spec in specs.items():
        shape, element = tuple(found[name].shape[1:]), str(found[name].dtype).removeprefix("torch.")
        require(shape == spec.shape, f"{name} has the shape {shape}, the network is fed {spec.shape}")
        require(element == spec.element, f"{name} is {element}, the network is fed {spec.element}")


TASK_CHECKS: Sequence[Check] = (
    batches_fit_the_inputs,
    splits_are_the_same_at_every_call,
    labels_are_numbers_of_classes,
    metrics_are_registered_and_score,
    training_batches_can_be_drawn_again,
    altered_batches_fit_and_can_be_drawn_again,
)
"""Checks of a Task for a network's inputs, ``specs=network_inputs(space.network(row))``."""
