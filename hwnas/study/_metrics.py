"""All metrics of a search by column, and the search problem made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.metric import LATENCY, QUALITY, SIZE, THROUGHPUT, metrics, own_metric
from hwnas.study._facts import directions_of
from hwnas.study._found import Found
from hwnas.wording import listed

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.latency import LatencyTable
    from hwnas.metric import Budget, Metric
    from hwnas.predictor import Predictor
    from hwnas.search import MetricFunction, Problem, SearchResult
    from hwnas.space import Population, SearchSpace


class TellsQuality(Protocol):
    """A predictor, or a measurement in its place."""

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` values of ``(n, g)`` rows."""

    def predict_std(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """``(n,)`` standard deviations; NaN where they are not known."""


@dataclass(frozen=True)
class Metrics:
    """The metrics of a search.

    Attributes:
        space: the space, restricted to the part that predictor and tables cover.
        predictor: predicts accuracy, or another metric of the weights; None if none is asked for.
        tables: latency tables by the names of devices in columns: that of ``phone`` gives ``latency_ms@phone``, and that of
            the main device, ``""``, gives ``latency_ms``.
        batch: images per run; ``memory_bytes`` is for all of them.
        given: metrics of the user's files, by column.
        tells: the column of the predictor.
        rates: whether ``images_per_s`` is computed from latency.
        sized: precision of the file whose ``size_bytes`` are computed; None if they are not asked for.
    """

    space: SearchSpace
    predictor: Found[TellsQuality] | None = None
    tables: Mapping[str, Found[LatencyTable]] = field(default_factory=dict)
    batch: int = 1
    given: Mapping[str, MetricFunction] = field(default_factory=dict)
    tells: str = QUALITY.column
    rates: bool = False
    sized: str | None = None

    @property
    def table(self) -> LatencyTable | None:
        """The table of the main device; None if its latency is not asked for."""
        return self.tables[""].it if "" in self.tables else None

    @cached_property
    def functions(self) -> dict[str, MetricFunction]:
        """Metrics by column, in the order of a CSV."""
        from hwnas.predictor import Predictor
        from hwnas.space import layer_metrics

        functions: dict[str, MetricFunction] = {}
        if self.predictor is not None:
            # An additive predictor is used as a sum, so that the exact front can be computed.
            told = self.predictor.it
            functions[self.tells] = (told.additive() or told) if isinstance(told, Predictor) else told.predict
        for name, found in self.tables.items():
            functions |= self._timed(name, found.it)
        if self.space.slots:
            functions |= layer_metrics(self.space, self.batch)
        if self.sized is not None:
            from hwnas.graph import size_cost

            functions[SIZE.column] = size_cost(self.space, self.sized)
        functions |= self.given
        for metric in metrics().values():
            if metric.derive is not None and functions.keys() >= {*metric.of}:
                functions.setdefault(metric.column, _derived(metric.derive, [functions[part] for part in metric.of]))
        return functions

    @property
    def deviation(self) -> str:
        """The column of the predictor's standard deviation."""
        return own_metric(self.tells, "min").companion("std")

    def batch_on(self, device: str) -> int:
        """Images per run on a device, by its name in columns; that of the main device is empty."""
        return (self.tables[device].it.device.batch or 1) if device in self.tables else self.batch

    def _timed(self, device: str, table: LatencyTable) -> dict[str, MetricFunction]:
        latency, batch = table.cost(self.space), self.batch_on(device)
        rate: dict[str, MetricFunction] = {}
        if self.rates:
            rate[THROUGHPUT.on(device).column] = lambda x: 1e3 * batch / latency(x)
        return {LATENCY.on(device).column: latency, **rate}

    def problem(self, objectives: Sequence[Metric], budgets: Mapping[str, Budget]) -> Problem:
        """The search problem.

        Args:
            objectives: in order.
            budgets: by column.
        """
        from hwnas.search import Constraint, Objective, Problem

        return Problem(
            self.space,
            [Objective(m.column, m.unit, m.maximise, self.functions[m.column]) for m in objectives],
            [
                Constraint(name, b.metric.unit, self.functions[name], b.upper, self._device(name), b.lower)
                for name, b in budgets.items()
            ],
        )

    def _device(self, column: str) -> str | None:
        stem, _, device = column.partition("@")
        return self.tables[device].it.label if stem == LATENCY.column and device in self.tables else None

    def score(self, x: Population) -> dict[str, NDArray[Any]]:
        """``(n,)`` values of every metric by column. The predictor's standard deviation and bounds on latency are added if
        known."""
        values: dict[str, NDArray[Any]] = {}
        for name, fn in self.functions.items():
            values[name] = fn(x)
            if name == self.tells and self.predictor is not None:
                spread = self.predictor.it.predict_std(x)
                if np.isfinite(spread).all():
                    values[self.deviation] = spread
            if name == LATENCY.column and self.table is not None:
                within = self.table.plus_minus(self.space)
                if within is not None:
                    values[LATENCY.companion("low")] = values[name] * (1 - within)
                    values[LATENCY.companion("high")] = values[name] * (1 + within)
        return values

    def frame(self, result: SearchResult, values: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
        """The table of a front, best first, from ``(n,)`` values by column; with archs."""
        from hwnas.report import pareto_frame

        objectives = [o.name for o in result.problem.objectives]
        return pareto_frame(self.space.decode_many(result.x), values, objectives, directions_of(result))


def _derived(derive: MetricFunction, parts: Sequence[MetricFunction]) -> MetricFunction:
    return lambda x: derive(*(part(x) for part in parts))


def narrowed(
    space: SearchSpace,
    accuracy: Found[Predictor] | None,
    tables: Mapping[str, Found[LatencyTable]],
    *,
    batch: int | None = None,
) -> tuple[Metrics, list[str]]:
    """The metrics over the part of ``space`` that predictor and tables cover, and notes on what was left out.

    ``batch`` is used if there is no table of the main device, which has its own.

    Raises:
        TableError, PredictorError: nothing is left, or a table or predictor is of another space.
    """
    left_out = []
    for source in (*tables.values(), accuracy):
        if source is not None:
            covered = source.it.covered(space)
            left_out += _restrictions(space, covered, str(source.facts["name"]))
            space = covered
    images = (tables[""].it.device.batch if "" in tables else batch) or 1
    tells = accuracy.it.card.metric if accuracy else QUALITY.column
    return Metrics(space, accuracy, tables, images, tells=tells), left_out


def _restrictions(space: SearchSpace, covered: SearchSpace, source: str) -> list[str]:
    lines = []
    for gene, before, after in zip(space.genes, space.domain, covered.domain, strict=True):
        if len(after) < len(before):
            kept = listed([gene.choices[i] for i in after])
            lines.append(f"{gene.name} is restricted to {kept}: {source} covers no others")
    return lines
