"""From inputs to a Problem: every metric there is, by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from hwnas.cli._asked import LATENCY, RATE, unit_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hwnas.latency import LatencyTable
    from hwnas.search import Metric, Problem
    from hwnas.space import AdditiveCost, Population, SearchSpace


class TellsTop1(Protocol):
    """A predictor, or whatever measures instead."""

    def predict(self, x: NDArray[Any]) -> NDArray[np.float64]: ...

    def predict_std(self, x: NDArray[Any]) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Metrics:
    """Everything that can be told of a subnet before it runs.

    Attributes:
        space: the space, restricted to what predictor and tables cover.
        predictor: tells ``top1``; None if accuracy is not asked for.
        table: tells ``latency_ms``; None if latency is not asked for.
        batch: images per run; ``memory_bytes`` is of all.
        latency: tells ``latency_ms`` in the table's place: corrected by measurements.
        others: tables of further devices by name; ``phone`` tells ``latency_ms@phone``.
        given: metrics that the user's files tell, by column.
        rates: whether ``images_per_s`` is told beside latency.
    """

    space: SearchSpace
    predictor: TellsTop1 | None
    table: LatencyTable | None
    batch: int = 1
    latency: AdditiveCost | None = None
    others: Mapping[str, LatencyTable] = field(default_factory=dict)
    given: Mapping[str, Metric] = field(default_factory=dict)
    rates: bool = False

    @cached_property
    def functions(self) -> dict[str, Metric]:
        """Metrics by column, in the order of a CSV."""
        from hwnas.predictor import Predictor  # noqa: PLC0415
        from hwnas.space import PeakMemory, macs_cost, params_cost  # noqa: PLC0415

        functions: dict[str, Metric] = {}
        if self.predictor is not None:
            # As a sum where it is one: then the exact front can be had.
            if isinstance(self.predictor, Predictor):
                functions["top1"] = self.predictor.additive() or self.predictor
            else:
                functions["top1"] = self.predictor.predict
        if self.table is not None:
            latency = self.latency or self.table.cost(self.space)
            functions |= self._timed("", latency, self.batch)
        for name, table in self.others.items():
            functions |= self._timed(f"@{name}", table.cost(self.space), table.device.batch or 1)
        if self.space.slots:
            functions["macs"] = macs_cost(self.space)
            functions["params"] = params_cost(self.space)
            functions["memory_bytes"] = PeakMemory(self.space, self.batch)
        return {**functions, **self.given}

    def _timed(self, device: str, latency: AdditiveCost, batch: int) -> dict[str, Metric]:
        rate: dict[str, Metric] = {RATE + device: lambda x: 1e3 * batch / latency(x)} if self.rates else {}
        return {LATENCY + device: latency, **rate}

    def problem(self, objectives: Sequence[str], budgets: Mapping[str, float]) -> Problem:
        """The search problem; objectives and budgets are columns."""
        from hwnas.report import maximised  # noqa: PLC0415
        from hwnas.search import Constraint, Objective, Problem  # noqa: PLC0415

        return Problem(
            self.space,
            [Objective(name, unit_of(name), maximised(name), self.functions[name]) for name in objectives],
            [
                Constraint(name, unit_of(name), self.functions[name], upper, self._device(name))
                for name, upper in budgets.items()
            ],
        )

    def _device(self, column: str) -> str | None:
        stem, _, other = column.partition("@")
        table = self.others.get(other) if other else self.table
        return table.device.id if table is not None and stem == LATENCY else None

    def score(self, x: Population) -> dict[str, NDArray[Any]]:
        """``(n,)`` of every metric by column, with ``top1_std`` where the predictor tells it, and bounds on
        ``latency_ms`` where the table was checked."""
        import numpy as np  # noqa: PLC0415

        values: dict[str, NDArray[Any]] = {}
        for name, fn in self.functions.items():
            values[name] = fn(x)
            if name == "top1" and self.predictor is not None:
                spread = self.predictor.predict_std(x)
                if np.isfinite(spread).all():
                    values["top1_std"] = spread
            if name == LATENCY and self.table is not None and self.latency is None:
                within = self.table.plus_minus(self.space)
                if within is not None:
                    values["latency_low_ms"] = values[name] * (1 - within)
                    values["latency_high_ms"] = values[name] * (1 + within)
        return values
