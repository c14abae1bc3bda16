"""The devices of a search: the main one, and others that budgets and objectives name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwnas.errors import DataError
from hwnas.metric import LATENCY, Budget, Metric
from hwnas.study._budgets import Budgets
from hwnas.study._metrics import Metrics
from hwnas.study._request import Request

USUAL = "cpu"
"""The default main device."""


@dataclass(frozen=True)
class Devices:
    """The devices of a search.

    Attributes:
        main: the device of ``latency_ms``.
        others: the devices of ``latency_ms@name``, by that name.
        bounds: budgets of the devices, by their names as typed.
        given: columns of the user's files, which need no table.
    """

    main: str
    others: Mapping[str, str]
    bounds: Budgets
    given: Collection[str]

    @classmethod
    def of(cls, request: Request, given: Collection[str]) -> Devices:
        """The devices that options name.

        Raises:
            DataError: two devices have one name in columns, or a device is named although a file has its latency.
        """
        if request.device is not None and LATENCY.column in given:
            rule = f"{LATENCY.column} is a column of a file here"
            raise DataError(f"device {request.device}", rule, "drop --device, or rename the column")
        bounds, objectives = request.budgets, request.objectives
        named = [d for d in bounds.devices if d and LATENCY.on(short(d)).column not in given]
        main = request.device or (named[0] if named and "" not in bounds.devices else USUAL)
        others: dict[str, str] = {}
        asked = [c for c in (objectives.columns if objectives else ()) if "@" in c and c not in given]
        in_columns = [column.partition("@")[2] for column in asked]
        known = {short(device) for device in (main, *named)}
        for device in dict.fromkeys([*named, *(name for name in in_columns if name not in known)]):
            if device == main:
                continue
            if short(device) in (*others, short(main)):
                raise DataError(f"device {device}", f"another one is called {short(device)} too", "rename its folder")
            others[short(device)] = device
        return cls(main, others, bounds, given)

    def latency(self, device: str) -> Metric:
        """The metric of latency on a device; the main one may be empty."""
        name = short(device or self.main)
        return LATENCY if name == short(self.main) else LATENCY.on(name)

    def timed(self, wanted: Sequence[Metric]) -> bool:
        """Whether a table of the main device is needed."""
        asked = [metric.column for metric in wanted if metric.source == "device"]
        asked += [self.latency(device).column for device in self.bounds.devices]
        return LATENCY.column not in self.given and bool(self.others or {*asked}.difference(self.given))

    def budgets(self, metrics: Metrics) -> dict[str, Budget]:
        """All bounds as latencies in ms; a rate of images becomes the time of a batch."""
        budgets: dict[str, Budget] = {}
        for bound in self.bounds.timed.values():
            latency = self.latency(bound.metric.device)
            if bound.metric.maximise:
                budget = Budget(latency, upper=1e3 * metrics.batch_on(latency.device) / bound.lower)
                budgets[latency.column] = budget.within(budgets.get(latency.column, budget))
            elif latency.column in budgets:
                raise DataError(
                    f"latency on {bound.metric.device or self.main}", f"{self.main} has two budgets", "keep one"
                )
            else:
                budgets[latency.column] = Budget(latency, upper=bound.upper)
        return budgets


def short(device: str) -> str:
    """The name of a device in columns: the last part of a path, without its ending."""
    return Path(device).name.partition(".")[0] or device
