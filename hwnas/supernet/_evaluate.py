"""The accuracy of a subnet, measured with inherited weights after re-calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, SupernetError
from hwnas.metric import own_metric
from hwnas.supernet._base import Supernet
from hwnas.supernet._subnet import Subnet
from hwnas.supernet.engine import Engine, get_engine
from hwnas.task import Estimate, Task, ahead, calibration, measured, placed, share_errors, top1

ROUNDING = 1e-6
"""How far a score may lie outside of its metric's range: a correlation of equal rows can be 1.0000000000000002."""


@dataclass(frozen=True)
class Accuracy:
    """Accuracy in percent on ``n_images``, after re-calibration on ``n_calibration``; ``broken`` images were left out.

    ``std`` is the standard error of a score that tells it, due to the choice of the images.
    """

    value: float
    n_images: int
    n_calibration: int
    broken: Mapping[Path, str] = field(default_factory=dict, compare=False)
    std: float | None = None

    def as_row(self, metric: str) -> dict[str, float | int]:
        """The entries of a table or journal, with the accuracy under the metric's name."""
        told = {} if self.std is None else {_deviation(metric): self.std}
        return {metric: self.value, **told, "n_images": self.n_images, "n_calibration": self.n_calibration}

    @classmethod
    def of_row(cls, row: Mapping[str, Any], metric: str) -> Accuracy:
        """The accuracy of a journal's entry."""
        return cls(row[metric], row["n_images"], row["n_calibration"], std=row.get(_deviation(metric)))


def _deviation(metric: str) -> str:
    return own_metric(metric, "max").companion("std")


def calibrated(supernet: Supernet, row: NDArray[Any], data: Task, engine: Engine | None = None) -> tuple[Subnet, int]:
    """The subnet with batch norms re-calibrated on ``data``, and the number of images used; 0 without batch norms.

    Raises:
        DataError: there were no images.
    """
    subnet = supernet.extract(row)
    if not subnet.has_statistics:
        return subnet, 0
    engine = engine or get_engine()
    n_calibration = engine.recalibrate(subnet, ahead(calibration(placed(data, engine.device), subnet.inputs)))
    if n_calibration == 0:
        raise DataError("calibration", "there are no images to re-calibrate batch norms with", "give some")
    return subnet, n_calibration


def measure_accuracy(subnet: Subnet, data: Task, engine: Engine | None = None) -> tuple[float, int]:
    """The task's first metric on its validation data, and the number of samples.

    Each layer computes in its precision; int8 takes its ranges from the calibration data.

    Raises:
        DataError: there were no samples.
    """
    engine = engine or get_engine()
    data = placed(data, engine.device)
    run = engine.runner(subnet, lambda: calibration(data, subnet.inputs))
    return measured(data, subnet.inputs, run)


def evaluate(supernet: Supernet, row: NDArray[Any], data: Task, engine: Engine | None = None) -> Accuracy:
    """Extract the subnet of a canonical ``(g,)`` row, re-calibrate it, and measure its accuracy.

    Args:
        supernet: the shared weights.
        row: the subnet.
        data: to calibrate with and to measure on.
        engine: runs the subnet; None takes the one that suits this machine.

    Raises:
        DataError: there were no samples.
        SupernetError: the accuracy is not a finite number, or not a possible one.
    """
    engine = engine or get_engine()
    subnet, n_calibration = calibrated(supernet, row, data, engine)
    accuracy, n_images = measure_accuracy(subnet, data, engine)
    if not math.isfinite(accuracy):
        rule = "it must be a finite number"
        raise SupernetError(f"{supernet.metric} {accuracy}", rule, "check whether the network's outputs are finite")
    metric = supernet.metric_named(next(iter(data.metrics)))
    possible = min(max(accuracy, metric.lowest), metric.highest)
    if abs(accuracy - possible) > ROUNDING:
        rule = f"it lies within {metric.lowest:g}..{metric.highest:g}"
        raise SupernetError(f"{metric.name} {accuracy:g}", rule, "correct the task's score, or rename its metric")
    std = accuracy.std if isinstance(accuracy, Estimate) else None
    return Accuracy(possible, n_images, n_calibration, std=std)


def error_of(accuracy: Accuracy, data: Task) -> float | None:
    """The standard error of a measured accuracy, due to the choice of the samples; None if the task's score does not tell it."""
    if next(iter(data.metrics.values())) is top1:
        return float(share_errors(np.array([accuracy.value]), accuracy.n_images)[0])
    return accuracy.std
