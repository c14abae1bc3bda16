"""Scores of classifiers, by batches of logits and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from hwnas.errors import DataError
from hwnas.task._task import Inputs, Scored, Specs, Task


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
        for inputs, labels in task.validation(specs):
            n += len(labels)
            yield logits_of(inputs), labels

    value = next(iter(task.metrics.values()))(scored())
    if n == 0:
        raise DataError("validation", "there are no images to measure accuracy on", "give some")
    return value, n


def top1(scored: Scored) -> float:
    """Share of samples whose largest logit is the label's, in percent; NaN of none."""
    correct = n = 0
    for logits, labels in scored:
        correct += int((logits.argmax(1) == labels).sum())
        n += len(labels)
    return 100 * correct / n if n else float("nan")
