"""A Pareto front: a table of subnets with its provenance, and what can be done with it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.arguments import checked_name
from hwnas.errors import DataError, InfeasibleError
from hwnas.files import as_argument, ends_in
from hwnas.metric import QUALITY, Metric, registered_or_own
from hwnas.study._budgets import Bound, budgets_of, latency_ms
from hwnas.study._outputs import Outputs
from hwnas.study._picture import picture_of
from hwnas.study._plot import Plot
from hwnas.study._provenance import Provenance
from hwnas.study._run_conditions import RunConditions
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.report import Picture
    from hwnas.space import SearchSpace

FEW = 10
"""Rows that a notebook shows."""


@dataclass(frozen=True)
class Front:
    """A Pareto front: subnets that no other one dominates, best accuracy first.

    Attributes:
        frame: one row per subnet: ``row``, metrics with units in the column names, ``arch`` as JSON.
        provenance: where it came from.
        space: space of the archs; None if unknown.
        path: the CSV that it was read from or saved to.
        journals: files and folders that a search leaves until its front is saved.
    """

    frame: pd.DataFrame
    provenance: Provenance
    space: SearchSpace | None = None
    path: Path | None = None
    journals: Sequence[Path] = ()

    @classmethod
    def of(
        cls, frame: pd.DataFrame, facts: Mapping[str, Any], space: SearchSpace | None, journals: Sequence[Path] = ()
    ) -> Front:
        """A front from its table and its provenance as JSON types."""
        return cls(frame, Provenance.from_json(facts), space, None, journals)

    @classmethod
    def load(cls, path: str | os.PathLike[str], space: str | None = None) -> Front:
        """Read a Pareto CSV and the provenance beside it.

        Args:
            path: the CSV.
            space: a reference, if the provenance does not name the space.

        Raises:
            DataError: there is no such file, or no search wrote it.
            SpaceError: the provenance names another space.
        """
        from hwnas.errors import HwnasError
        from hwnas.report import read_pareto
        from hwnas.study._space import space_of_front

        path = Path(checked_name("path", path, "pareto.csv"))
        provenance = Provenance.read(path)
        frame = read_pareto(path, provenance.objectives)
        try:
            found = space_of_front(provenance, path, space)
        except HwnasError:
            if space is not None:
                raise
            found = None  # table and picture need no space
        return cls(frame, provenance, found, path)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        """``Front(12 subnets of ofa_mbv3_w1.0: top1 71.20..73.30, macs 61.0M..95.7M)``, for prompts and logs."""
        spans = []
        for column in self.provenance.objectives:
            if column in self.frame and len(self.frame):
                show, values = registered_or_own(column).show, self.frame[column]
                ends = dict.fromkeys([show(values.min()), show(values.max())])  # one of a single subnet
                spans.append(f"{column} {'..'.join(ends)}")
        name = self.provenance.space.name
        ranges = f": {', '.join(spans)}" if spans else ""
        return f"Front({count_of(len(self), 'subnet')}{f' of {name}' if name else ''}{ranges})"

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table, with ``arch`` as objects."""
        frame = self.frame.copy()
        frame["arch"] = [json.loads(cell) for cell in frame["arch"]]
        return frame

    def to_json(self) -> str:
        """The front and its provenance as one JSON text, with archs as objects and empty cells as null."""
        frame = self.to_frame()
        rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
        facts = {key: value for key, value in self.provenance.to_json().items() if key != "random_sample"}
        return json.dumps({"front": rows, "provenance": facts}, indent=2, allow_nan=False, default=np.generic.item)

    def arch(self, row: int) -> dict[str, Any]:
        """The arch of a row, by its number in the column ``row``.

        Raises:
            DataError: there is no such row.
        """
        numbers = self.frame["row"].tolist()
        if row not in numbers:
            raise DataError(f"row {row!r}", f"the front has rows {numbers[0]} to {numbers[-1]}", "pick one of them")
        found: dict[str, Any] = json.loads(self.frame["arch"].iloc[numbers.index(row)])
        return found

    def best(self, by: str | None = None, **budgets: Bound) -> pd.Series[Any]:
        """The best row within budgets: ``front.best(latency="4ms")``.

        Args:
            by: the metric to compare; by default the first objective.
            budgets: bounds by name or column of a metric.

        Raises:
            DataError: the front lacks a column, or no row within the budgets has a value of the metric.
            InfeasibleError: no row is within the budgets.
        """
        from hwnas.report import column

        bounds = budgets_of(budgets)
        left = self.frame
        for name, bound in {**bounds.timed, **bounds.others}.items():
            if name not in left.columns:
                raise DataError(f"budget {name}", "the front has no such column", f"it has {', '.join(left.columns)}")
            left = left[left[name].between(bound.lower, bound.upper)]
        if not len(left):
            said = ", ".join(f"{name} {value}" for name, value in budgets.items())
            raise InfeasibleError(said, "no row of the front is within it", "search again under this budget")
        objective = next(iter(self.provenance.objectives), QUALITY.column)
        first = checked_name("metric", by, "latency") if by is not None else objective
        metric: Metric = column(first, self.provenance.directions)
        if metric.column not in left.columns:
            raise DataError(f"metric {first}", "the front has no such column", f"it has {', '.join(left.columns)}")
        left = left[left[metric.column].notna()]  # not every row need be measured
        if not len(left):
            raise DataError(f"metric {first}", "no row within the budgets has a value of it", "measure some of them")
        values = left[metric.column].to_numpy(dtype=float)
        return left.iloc[int(values.argmax() if metric.maximise else values.argmin())]

    def save(self, path: str | os.PathLike[str] = "pareto.csv") -> Front:
        """Write the CSV, its provenance and its picture, all three or none; returns the front with its new path.

        Raises:
            DataError: the name does not end in ``.csv``, or a file cannot be written.
        """
        outputs = Outputs(Path(checked_name("path", path, "pareto.csv")))
        outputs.check()
        outputs.write(self.frame, self.provenance, self.picture())
        for journal in self.journals:
            if journal.is_dir():
                shutil.rmtree(journal)
            journal.unlink(missing_ok=True)
        return replace(self, path=outputs.csv, journals=())

    def picture(self) -> Picture:
        """The contents of its picture."""
        return picture_of(self.frame, self.provenance)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Plot:
        """Its picture, which a notebook shows. It is also written to ``path`` (.png, .svg or .pdf) if there is one."""
        plot = Plot(self.picture())
        if path is not None:
            plot.save(checked_name("path", path, "pareto.png"))
        return plot

    def report(self, path: str | os.PathLike[str] = "pareto.html") -> Path:
        """Write a page to explore the front: one HTML file that needs no network.

        Raises:
            DataError: its name does not end in ``.html``, or it cannot be written.
        """
        from hwnas.report import write_html

        path = Path(checked_name("path", path, "pareto.html"))
        if not ends_in(path, ".html"):
            raise DataError(f"page {path}", "its name ends in .html", f"write {path.with_suffix('.html')}")
        facts, csv = self.provenance.to_json(), as_argument(self.path or "pareto.csv")
        write_html(self.picture(), facts, path, csv=csv, space=self.space)
        return path

    def measure(
        self,
        *,
        rows: Sequence[int] | int | None = None,
        most: int | None = None,
        device: str | None = None,
        budget: str | float | None = None,
        threads: int | None = None,
        batch: int | None = None,
        precision: str | None = None,
        python: str = "python3",
        journal: str | os.PathLike[str] | None = None,
        seed: int = 0,
        held: bool = False,
    ) -> Front:
        """Measure its subnets as whole networks: ``latency_measured_ms`` and ``latency_p95_ms`` beside the predictions.

        Args:
            rows: numbers of rows; all by default.
            most: measure at most this many, evenly thinned.
            device: a device of this machine, or ``"ssh://user@host"``; by default that of the search.
            budget: latency budget, ``"6ms"`` or a number of milliseconds; by default the search's.
            threads, batch, precision: conditions; by default the search's or, on another machine, 1, 1 and fp32.
            python: the interpreter on another machine.
            journal: file that keeps measurements until the front is saved, so that a killed run resumes; by default a
                temporary file.
            seed: seed of the order of runs.
            held: keep only measured rows that hold the budget.

        Raises:
            DataError: a row does not exist, the space is unknown, or there is no budget to hold.
            UnknownNameError, DeviceError: there is no such device, or it fails.
            NotHeldError: no row holds the budget.
        """
        from hwnas.study._measure import Measuring, measure_on, positions

        at, budget_ms = positions(self, rows, most), latency_ms(budget) if budget is not None else None
        measuring = Measuring(self, at, budget_ms, RunConditions(threads, batch, precision), seed)
        if held and measuring.device_budget_ms() is None:
            raise DataError("held", "there is no latency budget to hold", 'pass budget="6ms"')
        found = measure_on(measuring, device, python, journal)
        return found.held(self) if held else found.on(self)

    def export(
        self,
        row: int = 1,
        path: str | os.PathLike[str] = "subnet.onnx",
        *,
        supernet: str | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        random_weights: bool = False,
        data: str | os.PathLike[str] | None = None,
        images: int | None = None,
        calibrate: int = 2000,
        batch_size: int = 100,
        columns: Mapping[str, str] | None = None,
        precision: str | None = None,
        agreement_pct: float | None = None,
        opset: int = 17,
        device: str | None = None,
        threads: int | None = None,
        batch: int | None = None,
        budget: str | float | None = None,
        seed: int = 0,
    ) -> Path:
        """Write a subnet as ONNX with its weights: one file, or a folder to deploy.

        Args:
            row: number of its row.
            path: a file that ends in ``.onnx``; anything else is a folder, which gets labels and preprocessing too.
            supernet: a reference; by default that of the search.
            checkpoint: its weights; by default those of the search, those that ship, or those that were downloaded.
            random_weights: use random weights, for latency checks only; the file says so.
            data: folder of data to re-calibrate batch norms and measure with.
            images: number of images to measure accuracy on; without a folder, any number measures on all that the supernet
                brings. By default none.
            calibrate, batch_size, seed: settings of the calibration.
            columns: names of the columns ``text``, ``pair`` and ``label`` in tables of texts, if they differ from those in
                training.
            precision: by default that of the search.
            agreement_pct: least share of samples on which int8 and fp16 must agree with fp32.
            opset: ONNX operator set.
            device, threads, batch: where to time the file; by default nowhere.
            budget: latency budget of a timed file, ``"6ms"`` or a number of milliseconds; by default the search's.

        Raises:
            NotHeldError: the file is written, but breaks the budget or agrees too little with fp32.
        """
        from hwnas.study._export import export, supernet_of
        from hwnas.study._export_settings import ExportSettings

        settings = ExportSettings(
            supernet=supernet_of(self.provenance)
            if supernet is None
            else checked_name("supernet", supernet, "own.safetensors"),
            checkpoint=Path(checked_name("checkpoint", checkpoint, "own.safetensors"))
            if checkpoint is not None
            else None,
            random_weights=random_weights,
            data=Path(checked_name("data", data, "photos")) if data is not None else None,
            images=images,
            calibrate=calibrate,
            batch_size=batch_size,
            seed=seed,
            agreement_pct=agreement_pct,
            opset=opset,
            device=device,
            conditions=RunConditions(threads, batch, precision),
            budget_ms=latency_ms(budget) if budget is not None else None,
            columns=columns or {},
        )
        return export(self, row, Path(checked_name("path", path, "subnet.onnx")), settings)

    def _repr_html_(self) -> str:
        """The table of a few rows, for notebooks."""
        import pandas as pd

        from hwnas.report import column, thinned

        shown = self.frame.iloc[thinned(len(self.frame), FEW)]
        names = [name for name in shown.columns if name != "arch"]
        known = {name: column(name, self.provenance.directions) for name in names if name != "row"}
        frame = shown[names].rename(columns={name: metric.title for name, metric in known.items()})
        is_number = pd.api.types.is_numeric_dtype
        show: Any = {metric.title: metric.show for metric in known.values() if is_number(shown[metric.column])}
        table = frame.to_html(index=False, border=0, formatters=show, na_rep="-")
        space = self.provenance.space.name
        return f"<p><b>{len(self.frame)} Pareto-optimal subnets</b>{f' of {space}' if space else ''}</p>{table}"
