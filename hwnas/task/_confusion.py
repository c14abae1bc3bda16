"""Scores of a classifier's confusion matrix, with their standard errors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hwnas.task._task import Estimate, Scored


def macro_f1(scored: Scored) -> float:
    """Mean over classes of F1, the harmonic mean of precision and recall, in percent; NaN without samples.

    A class that is never predicted correctly counts as 0; one that has no samples and is never predicted is left out.
    The value is an :class:`Estimate`; Takahashi et al. (2022, doi:10.1007/s10489-021-02635-5) derive its standard error.
    """
    return _estimated(_macro_f1, confusion(scored))


def matthews(scored: Scored) -> float:
    """Matthews correlation of labels and predictions, -1 to 1, for any number of classes (Gorodkin 2004).

    It is 0 if all labels, or all predictions, are the same. The value is an :class:`Estimate`; Itaya et al. (2024,
    doi:10.1002/sim.10303) derive its standard error.
    """
    return _estimated(_matthews, confusion(scored))


def confusion(scored: Scored) -> Tensor:
    """``(classes, classes)`` numbers of samples, by label and prediction."""
    table = torch.zeros(0, 0, dtype=torch.float64)
    for logits, labels in scored:
        classes = logits.shape[1]
        table = table if len(table) else table.new_zeros(classes, classes)
        table += torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2).reshape(classes, classes)
    return table


def _estimated(score: Callable[[Tensor], Tensor], table: Tensor) -> float:
    """The score of a confusion matrix; an `Estimate` unless all samples have one label.

    The standard error is that of the delta method (Bishop, Fienberg and Holland 1975, "Discrete Multivariate Analysis",
    section 14.6). The cells are multinomial, and a score does not change if all of them are doubled, so its variance is
    ``(total / n) * sum(cells * gradient**2)``. Like Laplace's estimate of a share, it is taken at a matrix with two more
    samples, one right and one wrong, so that an error is expected of a classifier that made none. Classes have their shares in
    the right one; in the wrong one, pairs of classes have the products of their shares.

    For the share of right answers this is the binomial standard error. It is too small where a class has five samples or fewer.
    """
    value = float(score(table))
    n = table.sum()
    shares = table.sum(1) / n
    wrong = torch.outer(shares, shares).fill_diagonal_(0.0)
    likely = table + shares.diag() + wrong / wrong.sum()
    variance = likely.sum() / n * (likely * torch.func.grad(score)(likely) ** 2).sum()
    return Estimate(value, float(variance.sqrt())) if variance > 0 else value


def _macro_f1(table: Tensor) -> Tensor:
    total = table.sum(0) + table.sum(1)
    seen = total > 0
    return 100 * (2 * table.diagonal()[seen] / total[seen]).mean()


def _matthews(table: Tensor) -> Tensor:
    n, hits, predicted, true = table.sum(), table.trace(), table.sum(0), table.sum(1)
    spread = (n**2 - (predicted**2).sum()).sqrt() * (n**2 - (true**2).sum()).sqrt()
    return (hits * n - (predicted * true).sum()) / spread if spread else n * 0
