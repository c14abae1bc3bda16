"""``hwnas fit``: fit a predictor to measured subnets, with cross-validated scores."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli._console import say, show
from hwnas.cli._options import AsJson, Fix, Seed, Space
from hwnas.cli._out import check_out
from hwnas.errors import DataError
from hwnas.metric import LATENCY
from hwnas.progress import notice
from hwnas.study._measured_data import MeasuredData
from hwnas.study._space import open_space, restricted
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.predictor import Scores
    from hwnas.report import FittingTable

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

    If the files say how far values err (`f1_std`, or `n_images` beside an accuracy), gp, ridge and mlp take that into account.
    Printed scores are on the same samples.

    Example: hwnas fit accuracy.csv --space ofa_mbv3_w1.0 --model gp --out mine.safetensors
    """
    from hwnas.predictor import fit_and_score, load_predictor, new_predictor, save_predictor

    whole = open_space(space)
    if (imported is None) == (not data):
        raise DataError("DATA.csv and --import", "one of them is needed", "pass measured subnets, or a file to convert")
    if out is not None:
        check_out(out, "a predictor", ".safetensors")
    if imported is not None:
        if out is None:
            raise DataError("--import", "a converted predictor needs a file to go to", "pass --out FILE.safetensors")
        save_predictor(load_predictor(imported, whole), out)
        notice(f"wrote {out}: {imported} converted for {space}")
        return
    domain = restricted(whole, fix)
    predictor = new_predictor(model, domain, seed)  # an unknown kind is refused before files are read
    measured = MeasuredData.read(data or [], domain, metric)
    name, unit = measured.card.metric, measured.card.unit
    fitted = fit_and_score(predictor, measured.x, measured.y, measured.card, k=folds, seed=seed, errors=measured.errors)
    if as_json:
        about = {"space": domain.name, "model": model, "metric": name, "data": list(measured.card.data)}
        say(json.dumps(about | dict(predictor.card.scores)))
    else:
        files = ", ".join(path.name for path in data or ())
        title = f"{model} on {count_of(len(measured.x), 'row')} of {files}, held-out {name}"
        rows = [(f"{n} subnets", scores) for n, scores in fitted.curve]
        show(_table(title, unit, [*rows, (f"all, {folds} folds", fitted.scores)]))
    if measured.on_samples:
        points = " points" if unit == "%" else ""
        told = measured.errors if predictor.hears_errors else None
        how = "as if it were exact" if told is None else f"as exact to {told.mean():.2g}{points}"
        notice(f"{name} is fitted {how}: these scores hold only for the samples that it was measured on")
    if out is not None:
        save_predictor(predictor, out)
        either = f" --objectives {name}:max,{LATENCY.name}   (or {name}:min, if less is better)"
        ask = either if measured.metric is None else ""
        found = f"--space {shlex.quote(space)} --predictor {shlex.quote(str(out))}"
        notice(f"wrote {out}; next: hwnas search {found}{ask}")


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
