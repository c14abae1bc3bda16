"""Scores of classifiers, computed from batches of logits and labels."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError
from hwnas.task._ahead import ahead
from hwnas.task._confusion import macro_f1, matthews
from hwnas.task._task import Estimate, Inputs, Score, Scored, SelectiveTask, Specs, Task, fitting

T = TypeVar("T", bound=Task)

LEAST, MOST = 1e-4, 1e3
"""Smallest and largest absolute value of a margin; half precision holds both."""


def measured(task: Task, specs: Specs, logits_of: Callable[[Inputs], Tensor]) -> tuple[float, int]:
    """The task's first metric on its validation data, an `Estimate` if its score returns one, and the number of samples.

    Args:
        task: data and metrics.
        specs: the network's inputs.
        logits_of: the network: logits ``(n, classes)`` of a batch, on the CPU.

    Raises:
        DataError: there are no validation samples, the metric is no number, or its standard error is not positive.
    """
    n = 0
    name, score = next(iter(task.metrics.items()))

    def scored() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal n
        for inputs, labels in ahead(task.validation(specs)):
            n += len(labels)
            yield logits_of(fitting(task, inputs, specs)), labels

    value = score(scored())
    if n == 0:
        rule = f"there are no samples to measure on, or the score of {name} reads none"
        raise DataError("validation", rule, "give some, and let the score go through its argument")
    if isinstance(value, Estimate):
        if not 0 < value.std < math.inf:
            remedy = "correct the task's score, or return a float from it"
            raise DataError(f"standard error {value.std:g} of {name}", "it is a positive number", remedy)
        return value, n
    try:
        return float(value), n  # journals hold no tensors
    except (TypeError, ValueError, RuntimeError):
        raise DataError(f"{name} {value!r}", "a score is one number", "return a float from the task's score") from None


def margins(
    task: SelectiveTask, specs: Specs, logits_of: Callable[[Inputs], Tensor], samples: NDArray[np.intp]
) -> NDArray[np.float16]:
    """``(s,)`` margins of the network on some validation samples: the label's logit minus the largest other logit.

    A margin is positive where the sample is classified correctly, and negative elsewhere.

    Args:
        task: the data.
        specs: the network's inputs.
        logits_of: the network: logits ``(n, classes)`` of a batch, on the CPU.
        samples: ``(s,)`` positions of validation samples.

    Raises:
        DataError: a sample cannot be read.
    """
    batches = ahead(task.validation_of(specs, samples.tolist()))
    shown = ((logits_of(fitting(task, inputs, specs)), labels) for inputs, labels in batches)
    found = np.concatenate([margin(logits, labels).numpy() for logits, labels in shown])
    if len(found) < len(samples):
        broken = ", ".join(f"{path}: {why}" for path, why in sorted(getattr(task, "broken", {}).items())[:3]) or "some"
        raise DataError("racing", f"samples would be left out ({broken})", "mend or remove them, or drop --racing")
    return found.astype(np.float16)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """``(n,)``: the label's logit minus the largest other logit, finite and never 0.

    Its sign agrees with ``is_right`` even where logits are equal or NaN.
    """
    column = labels[:, None]
    others = logits.scatter(1, column, -torch.inf).amax(1)
    difference = (logits.gather(1, column)[:, 0] - others).nan_to_num(0.0).clamp(-MOST, MOST)
    return torch.where(is_right(logits, labels), difference.clamp(min=LEAST), difference.clamp(max=-LEAST))


def is_right(logits: Tensor, labels: Tensor) -> Tensor:
    """``(n,)`` booleans: the largest logit is the label's."""
    return logits.argmax(1) == labels


def top1(scored: Scored) -> float:
    """Share of samples whose largest logit is the label's, in percent; NaN without samples."""
    correct = n = 0
    for logits, labels in scored:
        correct += int(is_right(logits, labels).sum())
        n += len(labels)
    return 100 * correct / n if n else float("nan")


def share_errors(percent: NDArray[np.float64], n: int | NDArray[np.float64]) -> NDArray[np.float64]:
    """``(k,)`` standard errors of shares of ``n`` samples (each share's own), in percent, due to the choice of the samples."""
    share = (percent / 100 * n + 1) / (n + 2)  # Laplace's estimate: a share of 0 or 100 % has an error too
    return np.asarray(100 * np.sqrt(share * (1 - share) / n))


SCORES: Mapping[str, Score] = {"top1": top1, "accuracy": top1, "f1": macro_f1, "mcc": matthews}
"""Scores of classifiers, by the names of :mod:`hwnas.metric`."""


def tallied(task: T) -> tuple[T, Counter[int], Counter[int]]:
    """The same data, and how many samples have each class as label and as answer, counted whenever they are measured.

    Nothing is counted if the task is not scored by one of the ``SCORES``: its logits may be no classes'.
    """
    labelled: Counter[int] = Counter()
    answered: Counter[int] = Counter()
    name, score = next(iter(task.metrics.items()))
    if score not in SCORES.values():
        return task, labelled, answered

    def counted(scored: Scored) -> Iterator[tuple[Tensor, Tensor]]:
        for logits, labels in scored:
            labelled.update(labels.tolist())
            answered.update(logits.argmax(1).tolist())
            yield logits, labels

    other = copy.copy(task)
    other.metrics = {name: lambda scored: score(counted(scored))}
    return other, labelled, answered


def scored_by(task: T, metric: str) -> T:
    """The same data, measured by another of the ``SCORES``; the task itself if either metric is not one of them."""
    own = next(iter(task.metrics))
    if own == metric or own not in SCORES or metric not in SCORES:
        return task
    other = copy.copy(task)
    other.metrics = {metric: SCORES[metric]}
    return other
