"""Open weights and data in each worker that evaluates subnets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hwnas.executor import HERE
from hwnas.study._data import as_told
from hwnas.study._driver_weights import DriverWeights
from hwnas.study._racing import can_race

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwnas.study._evaluation import Evaluation
    from hwnas.supernet import Accuracy, Engine, Supernet
    from hwnas.task import Task


@dataclass(frozen=True)
class Evaluating:
    """Opens a supernet and its data in a worker, which then evaluates rows.

    Attributes:
        evaluation: supernet and data.
        weights: the driver's weights.
        classes: number of classes of the driver's network.
        precisions: precisions that layers choose from, if they have their own.
        labels: names of the classes.
    """

    evaluation: Evaluation
    weights: DriverWeights
    classes: int
    precisions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, evaluation: Evaluation, precisions: tuple[str, ...] = ()) -> Evaluating:
        """The opener of an evaluation's workers; those of a cluster are sent the weights."""
        from hwnas.supernet import get_engine

        net = evaluation.net
        # A copy without the opened network, which is not pickled; with the driver's engine, as a node might choose another.
        alike = replace(evaluation, where=HERE, engine=get_engine(evaluation.engine).name, metric=net.metric)
        return cls(alike, DriverWeights.of(net, evaluation.where), net.classes, precisions, net.labels)

    def __call__(self, threads: int | None) -> Callable[[Any], Any]:
        """The function that evaluates a row or, in a race, shows a :class:`hwnas.supernet.Share` to a subnet.

        Raises:
            SupernetError: the weights are no longer the driver's.
            DataError: the data do not fit.
        """
        import torch

        from hwnas.supernet import answer, get_engine

        if threads is not None:
            torch.set_num_threads(threads)
        net, given = self._net(), self.evaluation
        self.weights.refuse_others(net, f"supernet {given.supernet}")
        data, _ = given.samples(net)
        net = net.in_precision("+".join(self.precisions)) if self.precisions else net
        if given.racing is not None:
            return partial(answer, net, can_race(data), get_engine(given.engine))
        return partial(_evaluated, net, data, get_engine(given.engine))

    def _net(self) -> Supernet:
        from hwnas.supernet import random_supernet

        given, sent = self.evaluation, self.weights.tensors()
        if sent is None:
            return given.net
        net = as_told(random_supernet(given.supernet, classes=self.classes), given.columns, given.metric)
        net.labels = self.labels
        return net.alike(sent)


def _evaluated(net: Supernet, data: Task, engine: Engine, row: NDArray[Any]) -> Accuracy:
    """Accuracy, with the images that were left out, which the driver does not see."""
    from hwnas.supernet import evaluate

    return replace(evaluate(net, row, data, engine), broken=dict(getattr(data, "broken", {})))
