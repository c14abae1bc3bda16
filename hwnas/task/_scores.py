"""Scores of classifiers, computed from batches of logits and labels."""

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
"""Smallest and largest absolute value of a margin; half precision holds both."""


def measured(task: Task, specs: Specs, logits_of: Callable[[Inputs], Tensor]) -> tuple[float, int]:
    """The task's first metric on its validation data, and the number of samples.

    Args:
        task: data and metrics.
        specs: the network's inputs.
        logits_of: the network: logits ``(n, classes)`` of a batch, on the CPU.

    Raises:
        DataError: there are no validation samples, or the metric is no number.
    """
    n = 0
    name, score = next(iter(task.metrics.items()))

    def scored() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal n
        for inputs, labels in ahead(task.validation(specs)):
            n += len(labels)
            yield logits_of(inputs), labels

    value = score(scored())
    if n == 0:
        rule = f"there are no samples to measure on, or the score of {name} reads none"
        raise DataError("validation", rule, "give some, and let the score go through its argument")
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
    found = np.concatenate([margin(logits_of(inputs), labels).numpy() for inputs, labels in batches])
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


def sampling_errors(task: Task, values: NDArray[np.float64], n: int) -> NDArray[np.float64] | None:
    """``(k,)`` standard errors of values of a task's first metric, due to the choice of the ``n`` samples, in percent.

    None for metrics other than `top1`, whose sampling error is not known.
    """
    return share_errors(values, n) if next(iter(task.metrics.values())) is top1 else None


def share_errors(percent: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """``(k,)`` standard errors of shares of ``n`` samples, in percent, due to the choice of the samples."""
    share = (percent / 100 * n + 1) / (n + 2)  # Laplace's estimate: a share of 0 or 100 % has an error too
    return np.asarray(100 * np.sqrt(share * (1 - share) / n))


def macro_f1(scored: Scored) -> float:
    """Mean over classes of F1, the harmonic mean of precision and recall, in percent; NaN without samples.

    A class that is never predicted correctly counts as 0; one that has no samples and is never predicted is left out.
    """
    table = _confusion(scored)
    total = table.sum(0) + table.sum(1)
    seen = total > 0
    return float(100 * np.mean(2 * np.diag(table)[seen] / total[seen])) if seen.any() else float("nan")


def matthews(scored: Scored) -> float:
    """Matthews correlation of labels and predictions, -1 to 1, for any number of classes (Gorodkin 2004).

    It is 0 if all labels, or all predictions, are the same.
    """
    table = _confusion(scored)
    n, hits, predicted, true = table.sum(), np.trace(table), table.sum(0), table.sum(1)
    spread = np.sqrt(n**2 - (predicted**2).sum()) * np.sqrt(n**2 - (true**2).sum())
    return float((hits * n - (predicted * true).sum()) / spread) if spread else 0.0


def _confusion(scored: Scored) -> NDArray[np.float64]:
    """``(classes, classes)`` numbers of samples, by label and prediction."""
    table = torch.zeros(0, 0)
    for logits, labels in scored:
        classes = logits.shape[1]
        table = table if len(table) else torch.zeros(classes, classes)
        table += torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).reshape(classes, classes)
    return np.asarray(table.numpy(), dtype=np.float64)


SCORES: Mapping[str, Score] = {"top1": top1, "accuracy": top1, "f1": macro_f1, "mcc": matthews}
"""Scores of classifiers, by the names of :mod:`hwnas.metric`."""


def scored_by(task: T, metric: str) -> T:
    """The same data, measured by another of the ``SCORES``; the task itself if either metric is not one of them."""
    own = next(iter(task.metrics))
    if own == metric or own not in SCORES or metric not in SCORES:
        return task
    other = copy.copy(task)
    other.metrics = {metric: SCORES[metric]}
    return other
