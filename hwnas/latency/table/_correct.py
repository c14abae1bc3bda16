"""Correcting a latency model from whole subnets measured on the device.

A search finds the subnets that a table flatters: of thousands with nearly equal accuracy it keeps those
whose predicted latency errs on the low side. Measuring the front shows by how much, and this spreads
what it shows over the table.

The model: the true latency is the table's sum with every entry off by a factor ``1 + a + b + c``, where
``a`` is shared by the whole table, ``b`` by a slot and ``c`` is the entry's own; all are normal around 0,
and a measurement adds noise. Its posterior mean given the measurements is again a sum over slots: an
AdditiveCost. (Bayesian linear regression in its kernel form: Rasmussen and Williams 2006, section 2.1.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.space import AdditiveCost, Factor

WHOLE, SLOT, ENTRY = 0.02, 0.03, 0.10
"""Standard deviations of the relative errors: of the table, of a slot, of one entry. A slot is 4 % of a network,
so an entry that is off by a tenth moves it by 0.4 %; tables err by 1-2 % on whole subnets. What a front's subnets
have in common is that a search chose them: a wide ``WHOLE`` would blame the table for it everywhere."""

NOISE = 0.01
"""Of a measurement of a whole subnet, relative; repeated sessions differ by so much."""


@dataclass(frozen=True)
class Corrected:
    """A corrected cost.

    Attributes:
        cost: latency in ms.
        before_pct: mean absolute error on the measured subnets, uncorrected.
        after_pct: likewise, each subnet predicted from all others: what a fresh subnet may expect.
        bias_pct: mean error of the uncorrected predictions; negative if they were too low.
    """

    cost: AdditiveCost
    before_pct: float
    after_pct: float
    bias_pct: float


def corrected(cost: AdditiveCost, x: NDArray[Any], measured_ms: Sequence[float] | NDArray[np.float64]) -> Corrected:
    """``cost`` brought into line with measurements.

    Args:
        cost: predicted latency in ms.
        x: ``(n, g)`` canonical rows, at least one.
        measured_ms: ``(n,)`` their measured latencies.
    """
    measured = np.asarray(measured_ms, dtype=float)
    predicted = cost(x)
    columns = [_flat(factor, x) for factor in cost.factors]
    parts = [factor.table.ravel()[at] for factor, at in zip(cost.factors, columns, strict=True)]

    covariance = WHOLE**2 * np.outer(predicted, predicted)
    for at, part in zip(columns, parts, strict=True):
        same = at[:, None] == at[None, :]
        covariance += np.outer(part, part) * (SLOT**2 + ENTRY**2 * same)
    inverse = np.linalg.inv(covariance + np.diag((NOISE * measured) ** 2))
    weights = inverse @ (measured - predicted)

    factors = []
    for factor, at, part in zip(cost.factors, columns, parts, strict=True):
        own = np.bincount(at, weights * part, minlength=factor.table.size).reshape(factor.table.shape)
        shared = WHOLE**2 * (weights @ predicted) + SLOT**2 * (weights @ part)
        factors.append(Factor(factor.genes, factor.table * (1 + shared + ENTRY**2 * own)))
    # Leave-one-out errors in closed form (Rasmussen and Williams, equation 5.12).
    left_out = weights / np.diag(inverse)
    return Corrected(
        AdditiveCost(cost.space, factors),
        before_pct=float(100 * np.mean(np.abs(predicted / measured - 1))),
        after_pct=float(100 * np.mean(np.abs(left_out) / measured)),
        bias_pct=float(100 * np.mean(predicted / measured - 1)),
    )


def _flat(factor: Factor, x: NDArray[Any]) -> NDArray[np.intp]:
    """``(n,)`` position of each row's entry in the factor's flattened table."""
    found: NDArray[np.intp] = np.ravel_multi_index(
        tuple(np.asarray(x)[:, gene].astype(np.intp) for gene in factor.genes), factor.table.shape
    )
    return found
