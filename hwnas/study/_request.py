"""Everything that a search is asked for, parsed but not looked up yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.metric import registered
from hwnas.study._budgets import Budgets
from hwnas.study._objectives import Objectives

if TYPE_CHECKING:
    from hwnas.space import SearchSpace


@dataclass(frozen=True)
class Request:
    """What to search for, and where its metrics come from.

    Attributes:
        space: a reference, or the space itself; None for the default one.
        objectives: None for the usual ones: accuracy and the latency of every device that is named.
        budgets: bounds on metrics.
        device: the main device; None if it was not named.
        predictor: file, or None for the one that ships.
        fix: ``GENE=VALUE``.
        library: a CSV that is the space.
        tables: CSVs with metrics of every subnet.
        costs: CSVs with metrics of every layer.
        threads, batch, precision: conditions of the device.
        as_is: trust a latency table by its name, and measure nothing.
        kept: a folder with the latency tables that earlier runs went by, which are not checked again.
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
    threads: int | None = None
    batch: int | None = None
    precision: str | None = None
    as_is: bool = False
    kept: Path | None = None

    @property
    def unknown(self) -> list[str]:
        """Objectives that are no known metrics, and that no file could have."""
        if self.objectives is None or self.library or self.tables or self.costs:
            return []
        return [column for column in self.objectives.columns if registered(column) is None]
