"""What an unfinished search leaves beside its CSV, so that the same search goes on from there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.study._found import Found
from hwnas.study._setup import Setup

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable


@dataclass(frozen=True)
class Unfinished:
    """What a search that measures or evaluates subnets leaves beside the CSV until its front is saved.

    Attributes:
        csv: of the front.
    """

    csv: Path

    @property
    def verified(self) -> Path:
        """The journal of what was measured to verify a front."""
        return self._beside("verify.jsonl")

    @property
    def tables(self) -> Path:
        """The latency tables that it began with. A check may find otherwise later, and by another table other subnets
        would be asked for."""
        return self._beside("tables")

    @property
    def kept(self) -> Path | None:
        """The tables, if something may have been measured or evaluated already."""
        begun = self.verified.exists() or self._beside("journal.jsonl").exists()
        return self.tables if begun and self.tables.is_dir() else None

    def told(self, setup: Setup) -> Setup:
        """A setup as its provenance is read: once the front is saved, what was kept is not there any more."""
        others = {name: self._told(found) for name, found in setup.others.items()}
        return replace(setup, table=setup.table and self._told(setup.table), others=others)

    def _told(self, found: Found[LatencyTable]) -> Found[LatencyTable]:
        kept = found.it.path is not None and found.it.path.is_relative_to(self.tables)
        return Found(found.it, {**found.facts, "path": None}) if kept else found

    def _beside(self, ending: str) -> Path:
        return self.csv.with_name(f"{self.csv.name}.{ending}")
