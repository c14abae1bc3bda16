"""The devices that a search is about: the main one, and those that budgets and objectives name beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.metric import LATENCY, Budget, Metric
from hwnas.study._budgets import Budgets
from hwnas.study._found import Found
from hwnas.study._metrics import Metrics
from hwnas.study._objectives import Objectives
from hwnas.study._request import Request

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable

USUAL = "cpu"
"""The main device where none is named."""


@dataclass(frozen=True)
class Devices:
    """``main`` tells ``latency_ms``; ``others``, by the names they have in columns, tell ``latency_ms@name``.

    What the user's files tell, in the columns ``given``, no table is needed for.
    """

    main: str
    others: Mapping[str, str]
    given: Collection[str] = ()

    @classmethod
    def of(
        cls, request: Request, bounds: Budgets, objectives: Objectives | None, given: Collection[str] = ()
    ) -> Devices:
        """Those that the options name.

        Raises:
            DataError: two go by one name in columns, or one is named whose latency a file tells.
        """
        if request.device is not None and LATENCY.column in given:
            rule = f"{LATENCY.column} is a column of a file here"
            raise DataError(f"device {request.device}", rule, "drop --device, or rename the column")
        named = [d for d in bounds.devices if d is not None and LATENCY.on(short(d)).column not in given]
        main = request.device or (named[0] if named and None not in bounds.devices else USUAL)
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
        return cls(main, others, given)

    def latency(self, device: str | None) -> Metric:
        """Latency on a device, under the name that it has in columns."""
        name = short(device) if device is not None else short(self.main)
        return LATENCY if name == short(self.main) else LATENCY.on(name)

    def timed(self, wanted: Sequence[Metric], bounds: Budgets) -> bool:
        """Whether a table of the main device is needed."""
        asked = [metric.column for metric in wanted if metric.source == "device"]
        asked += [self.latency(device).column for device in bounds.devices]
        return LATENCY.column not in self.given and bool(self.others or {*asked}.difference(self.given))

    def budgets(
        self, bounds: Budgets, metrics: Metrics, others: Mapping[str, Found[LatencyTable]]
    ) -> dict[str, Budget]:
        """All bounds as latencies in ms: so many images per second are so many milliseconds per batch."""
        budgets: dict[str, Budget] = {}
        for device, ms in bounds.ms.items():
            latency = self.latency(device)
            if latency.column in budgets:
                raise DataError(f"latency on {device}", f"{self.main} has two budgets", "keep one")
            budgets[latency.column] = Budget(latency, upper=ms)
        for device, rate in bounds.per_s.items():
            latency = self.latency(device)
            found = others.get(latency.device)
            batch = (found.it.device.batch or 1) if found is not None else metrics.batch
            budget = Budget(latency, upper=1e3 * batch / rate)
            budgets[latency.column] = budget.within(budgets.get(latency.column, budget))
        return budgets


def short(device: str) -> str:
    """What a device is called in columns: of a path the last part."""
    return Path(device).name.partition(".")[0] or device
