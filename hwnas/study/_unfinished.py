"""The files of an unfinished search beside its CSV, from which it resumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.files import beside
from hwnas.study._found import Found
from hwnas.study._setup import Setup

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable


@dataclass(frozen=True)
class Unfinished:
    """The files that a search with measurements or evaluations keeps beside its CSV until its front is saved.

    Attributes:
        csv: the CSV of the front.
    """

    csv: Path

    @property
    def verified(self) -> Path:
        """The journal of measurements that verify a front."""
        return beside(self.csv, "verify.jsonl")

    @property
    def tables(self) -> Path:
        """The latency tables of the first run. A later check may adapt them differently, and with other tables the search
        would ask for other subnets."""
        return beside(self.csv, "tables")

    @property
    def kept(self) -> Path | None:
        """The tables, if there may be measurements or evaluations already."""
        begun = self.verified.exists() or beside(self.csv, "journal.jsonl").exists()
        return self.tables if begun and self.tables.is_dir() else None

    def without_paths(self, setup: Setup) -> Setup:
        """A setup whose facts do not name these files, which are deleted once the front is saved."""
        others = {name: self._without_path(found) for name, found in setup.others.items()}
        return replace(setup, table=setup.table and self._without_path(setup.table), others=others)

    def _without_path(self, found: Found[LatencyTable]) -> Found[LatencyTable]:
        kept = found.it.path is not None and found.it.path.is_relative_to(self.tables)
        return Found(found.it, {**found.facts, "path": None}) if kept else found
