"""The request of a search: parsed options, not looked up yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.metric import registered
from hwnas.study._budgets import Budgets
from hwnas.study._objectives import Objectives
from hwnas.study._run_conditions import ANY, RunConditions

if TYPE_CHECKING:
    from hwnas.space import SearchSpace


@dataclass(frozen=True)
class Request:
    """What to search for, and the sources of its metrics.

    Attributes:
        space: a reference, or the space itself; None for the default one.
        objectives: None for the default: accuracy, and latency on every named device.
        budgets: bounds on metrics.
        device: the main device; None if none was named.
        predictor: file of a predictor; None for the one that ships.
        fix: texts ``GENE=VALUE``.
        library: a CSV that is the space.
        tables: CSVs with metrics of every subnet.
        costs: CSVs with metrics of every layer.
        conditions: of the runs on the device.
        as_is: use a latency table without checking it.
        kept: folder with the latency tables of the unfinished run, which are not checked again.
    """

    space: str | SearchSpace | None = None
    objectives: Objectives | None = None
    budgets: Budgets = field(default_factory=Budgets)
    device: str | None = None
    predictor: str | None = None
    fix: Sequence[str] = ()
    library: Path | None = None
    tables: Sequence[Path] = ()
    costs: Sequence[Path] = ()
    conditions: RunConditions = ANY
    as_is: bool = False
    kept: Path | None = None

    @property
    def unknown(self) -> list[str]:
        """Objectives that are neither registered metrics nor possibly columns of a file."""
        if self.objectives is None or self.library or self.tables or self.costs:
            return []
        return [column for column in self.objectives.columns if registered(column) is None]
