"""Scores of classifiers, by batches of logits and labels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError
from hwnas.task._ahead import ahead
from hwnas.task._task import Inputs, Score, Scored, SelectiveTask, Specs, Task

T = TypeVar("T", bound=Task)

LEAST, MOST = 1e-4, 1e3
"""Of a margin's size: half precision holds both."""


def measured(task: Task, specs: Specs, logits_of: Callable[[Inputs], Tensor]) -> tuple[float, int]:
    """The task's first metric on its validation data, and the number of samples.

    Args:
        task: data and metrics.
        specs: what the network is fed.
        logits_of: the network: logits ``(n, classes)`` of a batch, on the CPU.

    Raises:
        DataError: there are no data.
    """
    n = 0

    def scored() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal n
        for inputs, labels in ahead(task.validation(specs)):
            n += len(labels)
            yield logits_of(inputs), labels

    value = next(iter(task.metrics.values()))(scored())
    if n == 0:
        raise DataError("validation", "there are no samples to measure on", "give some")
    return value, n


def margins(
    task: SelectiveTask, specs: Specs, logits_of: Callable[[Inputs], Tensor], samples: NDArray[np.intp]
) -> NDArray[np.float16]:
    """``(s,)`` margins of the network on some validation samples: by how much the logit of the label is ahead of the largest
    other one. Positive where the sample is classified correctly, and negative elsewhere.

    Args:
        task: the data.
        specs: what the network is fed.
        logits_of: the network: logits ``(n, classes)`` of a batch, on the CPU.
        samples: ``(s,)`` places of those to show.

    Raises:
        DataError: one cannot be read.
    """
    batches = ahead(task.validation_of(specs, samples.tolist()))
    found = np.concatenate([margin(logits_of(inputs), labels).numpy() for inputs, labels in batches])
    if len(found) < len(samples):
        broken = ", ".join(f"{path}: {why}" for path, why in sorted(getattr(task, "broken", {}).items())[:3]) or "some"
        raise DataError("--racing", f"samples would be left out ({broken})", "mend or remove them, or drop --racing")
    return found.astype(np.float16)


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """``(n,)``: the label's logit less the largest other one; finite and never 0, with the sign of ``is_right`` even where
    logits are alike or no numbers."""
    column = labels[:, None]
    others = logits.scatter(1, column, -torch.inf).amax(1)
    difference = (logits.gather(1, column)[:, 0] - others).nan_to_num(0.0).clamp(-MOST, MOST)
    return torch.where(is_right(logits, labels), difference.clamp(min=LEAST), difference.clamp(max=-LEAST))


def is_right(logits: Tensor, labels: Tensor) -> Tensor:
    """``(n,)``: whether the largest logit is the label's."""
    return logits.argmax(1) == labels


def top1(scored: Scored) -> float:
    """Share of samples whose largest logit is the label's, in percent; NaN of none."""
    correct = n = 0
    for logits, labels in scored:
        correct += int(is_right(logits, labels).sum())
        n += len(labels)
    return 100 * correct / n if n else float("nan")


def sampling_errors(task: Task, values: NDArray[np.float64], n: int) -> NDArray[np.float64] | None:
    """``(k,)`` standard deviations of values of a task's first metric, by the choice of the ``n`` samples that they were
    measured on: those of shares of samples, in percent. None of another metric, whose errors are not known."""
    if next(iter(task.metrics.values())) is not top1:
        return None
    return share_errors(values, n)


def share_errors(percent: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """``(k,)`` standard deviations of shares of ``n`` samples, in percent, by the choice of the samples."""
    share = (percent / 100 * n + 1) / (n + 2)  # of one that told all samples right it is not sure that it always does
    return np.asarray(100 * np.sqrt(share * (1 - share) / n))


def macro_f1(scored: Scored) -> float:
    """Mean over classes of the harmonic mean of precision and recall, in percent; a class without samples or hits is 0."""
    table = _confusion(scored)
    hits, told, true = np.diag(table), table.sum(0), table.sum(1)
    seen = (told + true) > 0
    return float(100 * np.mean(2 * hits[seen] / (told + true)[seen])) if seen.any() else float("nan")


def matthews(scored: Scored) -> float:
    """Correlation of labels and answers, -1 to 1, for any number of classes (Gorodkin 2004); 0 if either never varies."""
    table = _confusion(scored)
    n, hits, told, true = table.sum(), np.trace(table), table.sum(0), table.sum(1)
    spread = np.sqrt(n**2 - (told**2).sum()) * np.sqrt(n**2 - (true**2).sum())
    return float((hits * n - (told * true).sum()) / spread) if spread else 0.0


def _confusion(scored: Scored) -> NDArray[np.float64]:
    """``(classes, classes)`` samples by label and answer."""
    table = torch.zeros(0, 0)
    for logits, labels in scored:
        classes = logits.shape[1]
        table = table if len(table) else torch.zeros(classes, classes)
        table += torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).reshape(classes, classes)
    return np.asarray(table.numpy(), dtype=np.float64)


SCORES: Mapping[str, Score] = {"top1": top1, "accuracy": top1, "f1": macro_f1, "mcc": matthews}
"""Scores of classifiers, by the names of :mod:`hwnas.metric`."""


def scored_by(task: T, metric: str) -> T:
    """The same data, measured by another score of classifiers; the task itself where it has the metric or is none of these."""
    own = next(iter(task.metrics))
    if own == metric or own not in SCORES or metric not in SCORES:
        return task
    other = copy.copy(task)
    other.metrics = {metric: SCORES[metric]}
    return other
