"""Measured accuracy of subnets with inherited weights, journalled so that no evaluation is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SupernetError
from hwnas.io import Journal
from hwnas.supernet._base import Supernet
from hwnas.supernet._subnet import Subnet
from hwnas.supernet.engine import Engine, get_engine
from hwnas.task import Task, ahead, measured


@dataclass(frozen=True)
class Accuracy:
    """Accuracy in percent on ``n_images``, after re-calibration on ``n_calibration``."""

    value: float
    n_images: int
    n_calibration: int

    def as_row(self, metric: str) -> dict[str, float | int]:
        """For a table or a journal; the accuracy under the name of its metric."""
        return {metric: self.value, "n_images": self.n_images, "n_calibration": self.n_calibration}


def calibrated(supernet: Supernet, row: NDArray[Any], data: Task, engine: Engine | None = None) -> tuple[Subnet, int]:
    """The subnet with batch norms re-calibrated on ``data``, and the number of images that took: 0 if it has none.

    Raises:
        SupernetError: there were no images.
    """
    subnet = supernet.extract(row)
    if not subnet.has_statistics:
        return subnet, 0
    n_calibration = (engine or get_engine()).recalibrate(subnet, ahead(data.calibration(subnet.inputs)))
    if n_calibration == 0:
        raise SupernetError("calibration", "there are no images to re-calibrate batch norms with", "give some")
    return subnet, n_calibration


def measure_accuracy(subnet: Subnet, data: Task, engine: Engine | None = None) -> tuple[float, int]:
    """The task's first metric on its validation data, and the number of samples.

    Raises:
        DataError: there were no images.
    """
    return measured(data, subnet.inputs, (engine or get_engine()).runner(subnet))


def evaluate(supernet: Supernet, row: NDArray[Any], data: Task, engine: Engine | None = None) -> Accuracy:
    """Extract the subnet of a canonical ``(g,)`` row, re-calibrate it, and measure its accuracy.

    Args:
        supernet: with its weights.
        row: of the subnet.
        data: to calibrate with and to measure on.
        engine: what runs it; None for the one that suits this machine.
    """
    engine = engine or get_engine()
    subnet, n_calibration = calibrated(supernet, row, data, engine)
    accuracy, n_images = measure_accuracy(subnet, data, engine)
    return Accuracy(accuracy, n_images, n_calibration)


class MeasuredAccuracy:
    """Accuracy of populations; each distinct subnet is evaluated once and remembered.

    As a metric of a search it maps ``(n, g)`` canonical rows to ``(n,)`` accuracies in percent.

    Args:
        supernet: with its weights.
        data: images.
        journal: keeps finished evaluations; those it holds are not repeated. See :func:`accuracy_journal_identity`.
        progress: called with (evaluated, to evaluate) before each evaluation and after the last.
        engine: what runs subnets; None for the one that suits this machine.
    """

    def __init__(
        self,
        supernet: Supernet,
        data: Task,
        journal: Journal | None = None,
        progress: Callable[[int, int], None] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.engine = engine or get_engine()
        self.supernet = supernet
        self.data = data
        self.journal = journal
        self.progress = progress
        self._known: dict[bytes, Accuracy] = {}
        for entry in journal.entries if journal is not None else ():
            row = supernet.space.encode(entry["arch"])
            self._known[row.tobytes()] = Accuracy(entry[supernet.metric], entry["n_images"], entry["n_calibration"])

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        return np.array([accuracy.value for accuracy in self.accuracies(x)])

    @property
    def n_known(self) -> int:
        """Distinct subnets evaluated so far, those of the journal included."""
        return len(self._known)

    def accuracies(self, x: NDArray[Any]) -> list[Accuracy]:
        """One per row. Rows of one resolution run together, so that decoded images are used again."""
        x = self.supernet.space.canonical(np.asarray(x))
        pending = {row.tobytes(): row for row in x if row.tobytes() not in self._known}
        rows = sorted(pending.values(), key=lambda row: self.supernet.network(row)[0][1].input_shape)
        for done, row in enumerate(rows):
            if self.progress is not None:
                self.progress(done, len(rows))
            self._evaluate(row)
        if self.progress is not None and rows:
            self.progress(len(rows), len(rows))
        return [self._known[row.tobytes()] for row in x]

    def _evaluate(self, row: NDArray[Any]) -> None:
        accuracy = evaluate(self.supernet, row, self.data, self.engine)
        if self.journal is not None:
            arch = self.supernet.space.decode(row)
            self.journal.append({"arch": arch, **accuracy.as_row(self.supernet.metric)})
        self._known[row.tobytes()] = accuracy


def accuracy_journal_identity(
    supernet: Supernet, data: Mapping[str, Any], engine: Engine | None = None
) -> dict[str, Any]:
    """What a journal of accuracies belongs to.

    Args:
        supernet: its space and weights.
        data: what else accuracies depend on: the images and how many, the batch size, the seed.
        engine: what runs subnets; None for the one that suits this machine.
    """
    space = supernet.space
    return {
        "kind": "accuracy",
        "space": space.name,
        "fingerprint": space.fingerprint,
        "weights": supernet.digest,
        "engine": (engine or get_engine()).name,
        **data,
    }
