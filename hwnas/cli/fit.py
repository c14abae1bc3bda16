"""``hwnas fit``: fit a predictor to measured subnets, with cross-validated scores."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from hwnas.cli._console import say, show
from hwnas.cli._options import AsJson, Fix, Seed, Space
from hwnas.errors import DataError
from hwnas.files import check_writable, file_hash
from hwnas.metric import LATENCY, QUALITY, get_metric, metrics, registered, split_direction
from hwnas.progress import notice
from hwnas.quantity import count_of
from hwnas.study._space import open_space, restricted

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.predictor import Scores
    from hwnas.report import FittingTable
    from hwnas.space import Population, SearchSpace

LEAST = 1e-3
"""Errors below this are printed in powers of ten, such as those of an energy in joules."""


def fit(
    space: Space,
    data: Annotated[
        list[Path] | None,
        typer.Argument(help="CSVs of subnets with a column of measured values.", metavar="DATA.csv..."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="Kind of predictor: gp (Gaussian process), ridge, additive or mlp.", metavar="KIND"
        ),
    ] = "gp",
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="Metric or column to predict; a column of your own: f1_macro:max. By default the accuracy or score in the files.",
            metavar="NAME",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Predictor file to write (.safetensors).", metavar="FILE")
    ] = None,
    folds: Annotated[
        int, typer.Option("--folds", help="Folds of the cross-validation.", min=2, max=20, metavar="N")
    ] = 5,
    imported: Annotated[
        Path | None,
        typer.Option(
            "--import", help="Convert a predictor that OFA released, instead of fitting one.", metavar="FILE.pth"
        ),
    ] = None,
    fix: Fix = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Fit a predictor of a metric; print cross-validated Kendall tau, RMSE and MAPE, and the learning curve.

    Values are fitted as if they were exact. If accuracies were measured on a few hundred samples, they depend on these
    samples, and so do the printed scores.

    Example: hwnas fit accuracy.csv --space ofa_mbv3_w1.0 --model gp --out mine.safetensors
    """
    from hwnas.predictor import load_predictor, save_predictor

    whole = open_space(space)
    if (imported is None) == (not data):
        raise DataError("DATA.csv and --import", "one of them is needed", "pass measured subnets, or a file to convert")
    if out is not None:
        check_writable(out)
    if imported is not None:
        if out is None:
            raise DataError("--import", "a converted predictor needs a file to go to", "pass --out FILE.safetensors")
        save_predictor(load_predictor(imported, whole), out)
        notice(f"wrote {out}: {imported} converted for {space}")
        return
    _fit(data or [], space, restricted(whole, fix), model, metric, out, folds, seed, as_json)


def _fit(
    data: list[Path],
    reference: str,
    space: SearchSpace,
    model: str,
    asked: str | None,
    out: Path | None,
    folds: int,
    seed: int,
    as_json: bool,
) -> None:
    import json

    from hwnas.io import in_file, read_archs, read_csv, read_metric
    from hwnas.predictor import Card, fit_and_score, new_predictor, save_predictor

    predictor = new_predictor(model, space, seed)  # an unknown kind is refused before files are read
    frames = [read_csv(path) for path in data]
    name, direction = split_direction(asked if asked is not None else _quality_in(frames))
    about = registered(name) if direction is None else get_metric(name, direction)
    metric = about.column if about is not None else name
    for path in data:
        _refuse_predicted(path, metric)
    found = []
    for path, frame in zip(data, frames, strict=True):
        with in_file(path):
            found.append((read_archs(frame, space), read_metric(frame, metric)))
    x, y = (np.concatenate(part) for part in zip(*found, strict=True))
    _check_repeats([(path, i + 1) for path, f in zip(data, frames, strict=True) for i in range(len(f))], x, y)
    unit = about.unit if about is not None else ""
    measured = [
        {"name": path.name, "sha256": file_hash(path), "rows": len(frame)}
        for path, frame in zip(data, frames, strict=True)
    ]
    card = Card(metric=metric, unit=unit, data=measured, direction=direction or "")
    fitted = fit_and_score(predictor, x, y, card, k=folds, seed=seed)
    if as_json:
        about_it = {"space": space.name, "model": model, "metric": metric, "data": measured}
        say(json.dumps(about_it | dict(predictor.card.scores)))
    else:
        title = f"{model} on {count_of(len(x), 'row')} of {', '.join(p.name for p in data)}, held-out {metric}"
        rows = [(f"{n} subnets", scores) for n, scores in fitted.curve]
        show(_table(title, unit, [*rows, (f"all, {folds} folds", fitted.scores)]))
    on_samples = (
        about is not None and about.source == "weights"
    )  # a latency beside an accuracy does not depend on samples
    if on_samples and any("n_images" in frame for frame in frames):
        notice(
            f"{metric} is fitted as if it were exact: these scores hold only for the samples that it was measured on"
        )
    if out is not None:
        save_predictor(predictor, out)
        either = f" --objectives {metric}:max,{LATENCY.name}   (or {metric}:min, if less is better)"
        ask = either if about is None else ""
        notice(
            f"wrote {out}; next: hwnas search --space {shlex.quote(reference)} --predictor {shlex.quote(str(out))}{ask}"
        )


def _quality_in(frames: Sequence[pd.DataFrame]) -> str:
    """The metric of weights that every file has a column of; top-1, which has many other names, if there is none."""
    of_weights = [metric for metric in metrics().values() if metric.source == "weights"]
    return next((m.name for m in of_weights if all(m.column in frame.columns for frame in frames)), QUALITY.name)


def _refuse_predicted(path: Path, metric: str) -> None:
    """Refuse values that a predictor gave: a predictor must learn from measurements.

    Raises:
        DataError: the provenance beside the file says so.
    """
    from hwnas.report import predicted_by, provenance_path, read_provenance

    try:
        facts = read_provenance(path)
    except DataError:  # the JSON is not a provenance
        return
    by = predicted_by(facts, metric)
    if by is not None:
        rule = f"{provenance_path(path).name} says that {metric} was predicted by {by}, and a predictor learns from measurements"
        remedy = f"measure it: hwnas evaluate --supernet NAME --archs {shlex.quote(str(path))} --out measured.csv, then fit measured.csv"
        raise DataError(f"file {path}, metric {metric!r}", rule, remedy)


def _check_repeats(rows: list[tuple[Path, int]], x: Population, y: NDArray[np.float64]) -> None:
    """Notify the user of repeated subnets, whose mean is fitted; refuse values too far apart to be repeats.

    Args:
        rows: file and number of each row.
        x: ``(n, g)`` subnets.
        y: ``(n,)`` measured values.

    Raises:
        DataError: values of a subnet differ by more than the standard deviation of all values, by a typing error or
            because the files are of different data.
    """
    seen: dict[bytes, int] = {}
    apart: dict[int, float] = {}
    for at, row in enumerate(x):
        before = seen.setdefault(row.tobytes(), at)
        if y[before] != y[at]:
            apart[before] = max(apart.get(before, 0.0), abs(y[at] - y[before]))
        if abs(y[at] - y[before]) > y.std():
            (file, number), (other, earlier) = rows[at], rows[before]
            rule = f"it is the subnet of {other}, row {earlier}, with another value, {y[before]:.8g}, not {y[at]:.8g}"
            raise DataError(f"file {file}, row {number}", rule, "keep one of the rows, or their mean")
    if apart:
        found = f"{count_of(len(apart), 'subnet')} with several values, up to {max(apart.values()):.3g} apart"
        notice(f"{found}: means are fitted")


def _table(title: str, unit: str, rows: list[tuple[str, Scores]]) -> FittingTable:
    from hwnas.report import FittingTable

    points = f" ({unit})" if unit else ""
    titles = ("fitted on", "Kendall tau", f"RMSE{points}", "MAPE (%)", f"bias{points}", "within 2 std (%)")
    table = FittingTable.of(titles, [(name, *_cells(scores)) for name, scores in rows])
    table.title = title
    return table


def _cells(s: Scores) -> tuple[str, ...]:
    covered = "" if s.coverage != s.coverage else f"{100 * s.coverage:.0f}"
    small = 0 < s.rmse < LEAST
    errors = (f"{s.rmse:.2e}", f"{s.bias:+.2e}") if small else (f"{s.rmse:.3f}", f"{s.bias:+.3f}")
    return f"{s.tau:.3f}", errors[0], f"{s.mape:.2f}", errors[1], covered
