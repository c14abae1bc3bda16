"""``hwnas predict``: predict accuracy, latency and costs of given subnets."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from hwnas.cli._options import AsIs, FrontSpace, PredictorName, TableBatch, TablePrecision, TableThreads
from hwnas.cli._out import TABLE, check_out
from hwnas.errors import DataError
from hwnas.files import check_writable, together
from hwnas.progress import notice
from hwnas.study._facts import predicted_facts
from hwnas.study._metrics import narrowed
from hwnas.study._predictor import find_predictor
from hwnas.study._provenance import Provenance
from hwnas.study._run_conditions import RunConditions
from hwnas.study._space import open_in, refuse_other_space, space_of_front
from hwnas.study._table import find_table
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.space import Population, SearchSpace
    from hwnas.study._metrics import Metrics


def predict(
    context: typer.Context,
    archs: Annotated[Path, typer.Argument(help="CSV with a column `arch` (JSON).", metavar="ARCHS.csv")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write; .json beside it.", metavar="FILE")],
    space: FrontSpace = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", help="Add latency_ms of a device, or of a latency table by name or path.", metavar="NAME"
        ),
    ] = None,
    predictor: PredictorName = None,
    threads: TableThreads = None,
    batch: TableBatch = None,
    precision: TablePrecision = None,
    as_is: AsIs = False,
) -> None:
    """Add accuracy (top1, top1_std), latency_ms, macs, params and memory_bytes to a CSV of subnets; other cells stay.

    If the table was validated, latency_low_ms and latency_high_ms bound the latency of 90 % of subnets.

    Example: hwnas predict pareto.csv --device cpu --threads 4 --out predicted.csv

    Example: hwnas predict archs.csv --space ofa_mbv3_w1.0 --device cpu --out predicted.csv
    """
    from hwnas.io import in_file, read_archs, read_csv, write_csv
    from hwnas.report import in_order, provenance_path, tidy, write_provenance

    for option, given in (("--threads", threads is not None), ("--as-is", as_is)):
        if given and device is None:
            raise DataError(option, "it needs a device, and none is named", "add --device cpu")
    before, whole, precision = _space_of(archs, space, precision)
    check_out(out, "a table of predictions", *TABLE)
    check_writable(provenance_path(out))
    frame = read_csv(archs, as_text=True)
    with in_file(archs):
        x = read_archs(frame, whole)
    accuracy = find_predictor(whole, predictor, required=False)
    conditions = RunConditions(threads, batch, precision)
    table = find_table(whole, device, conditions, as_is=as_is) if device else None
    metrics, _ = narrowed(whole, accuracy, {"": table} if table else {}, batch=batch)
    _require_covered(metrics, x, archs)
    values = metrics.score(x)
    if metrics.tells in values:
        values.setdefault(metrics.deviation, np.full(len(x), np.nan))
    added = in_order(values)
    replaced = [name for name in added if name in frame.columns]
    measured = metrics.tells in replaced and metrics.deviation not in replaced
    if measured and out.resolve() == archs.resolve():
        rule = f"it would replace {archs}, whose {metrics.tells} is measured"
        raise DataError(f"--out {out}", rule, "write --out predicted.csv")
    for name in added:
        frame[name] = tidy(values[name])
    facts = {"command": shlex.join(["hwnas", *(context.obj or ["predict"])])}
    with together():
        write_provenance(facts | predicted_facts(before, whole, accuracy, table), provenance_path(out))
        write_csv(frame, out)
    notice(f"wrote {out}: {count_of(len(frame), 'row')} with {', '.join(added)}")
    if replaced:
        notice(f"columns {', '.join(replaced)} were in {archs} already; {out} holds the predicted values")


def _space_of(archs: Path, named: str | None, precision: str | None) -> tuple[dict[str, Any], SearchSpace, str | None]:
    """The JSON beside the subnets, their space by it or by name, and the precision as ``open_in`` returns it.

    Raises:
        HwnasError: there is neither a name nor a JSON, or the JSON names another space.
    """
    from hwnas.report import read_provenance

    try:
        facts = read_provenance(archs)
    except DataError:
        if named is None:
            raise
        facts = {}  # the JSON is of another program
    provenance = Provenance.from_json(facts)
    space, precision = open_in(named or space_of_front(provenance, archs, None), precision)
    if named is not None:
        refuse_other_space(provenance, archs, space)
    return facts, space, precision


def _require_covered(metrics: Metrics, x: Population, archs: Path) -> None:
    """Refuse rows outside the part of the space that predictor and table cover.

    Raises:
        DataError: there is one; the message names the first.
    """
    outside = ~metrics.space.contains(x)
    if outside.any():
        row = int(outside.argmax())
        column = next(c for c, allowed in enumerate(metrics.space.domain) if x[row, c] not in allowed)
        gene = metrics.space.genes[column]
        known = ", ".join(str(gene.choices[i]) for i in metrics.space.domain[column])
        raise DataError(
            f"file {archs}, row {row + 1}, {gene.name} = {gene.choices[x[row, column]]}",
            f"space, predictor and table together cover {known}",
            "remove the row, or name others",
        )
