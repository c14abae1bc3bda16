"""The files of a front: CSV, provenance, picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.files import check_writable, ends_in, together
from hwnas.study._provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.report import Picture


@dataclass(frozen=True)
class Outputs:
    """The three files of a search."""

    csv: Path

    @property
    def json(self) -> Path:
        """File of the provenance."""
        return self.csv.with_suffix(".json")

    @property
    def png(self) -> Path:
        """File of the picture."""
        return self.csv.with_suffix(".png")

    def check(self) -> None:
        """Check before the search that the files can be written after it.

        Raises:
            DataError: the name does not end in ``.csv``, or a file cannot be written.
        """
        if not ends_in(self.csv, ".csv"):
            name = self.csv.stem or "pareto"  # "." has none
            raise DataError(f"output {self.csv}", "the front is a CSV", f"write --out {name}.csv")
        for path in (self.csv, self.json, self.png):
            check_writable(path)

    def write(self, frame: pd.DataFrame, provenance: Provenance, picture: Picture) -> None:
        """Write all three files or none. The CSV comes last: if it is new, the others are too."""
        from hwnas.report import save_plot, write_pareto, write_provenance

        with together():
            save_plot(picture, self.png)
            write_provenance(provenance.to_json(), self.json)
            write_pareto(frame, self.csv)
