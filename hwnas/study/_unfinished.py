"""The files of an unfinished search beside its CSV, from which it resumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwnas.files import beside
from hwnas.study._found import Found
from hwnas.study._setup import Setup
from hwnas.study._table import KEPT


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

    def keeping(self, setup: Setup) -> Setup:
        """The setup with its latency tables in these files. Its facts do not name them, as they are deleted once the front is
        saved."""
        kept = setup.keeping(self.tables).metrics.tables
        return setup.timed_by(
            {
                name: Found(
                    kept[name].it, {**found.facts, "path": None} if found.facts["trust"] == KEPT else found.facts
                )
                for name, found in setup.metrics.tables.items()
            }
        )
