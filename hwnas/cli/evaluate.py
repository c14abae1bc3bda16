"""``hwnas evaluate``: measure the accuracy of subnets with inherited weights."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from hwnas.cli._groups import ColumnOptions, WorkerOptions, shares_options
from hwnas.cli._next import FEWEST_TO_FIT
from hwnas.cli._options import (
    STOP,
    BatchSize,
    Calibrate,
    Checkpoint,
    DataFolder,
    EngineName,
    Fix,
    Images,
    MetricName,
    OnFailure,
    Seed,
    SupernetName,
    skips,
)
from hwnas.cli._out import TABLE, check_out
from hwnas.errors import DataError
from hwnas.executor import Pace
from hwnas.files import as_argument, beside
from hwnas.metric import QUALITY, registered
from hwnas.progress import kept_in, notice, progress
from hwnas.study import Evaluation
from hwnas.study._data import noun_of
from hwnas.study._space import open_in, restricted
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.space import Population, SearchSpace


@shares_options
def evaluate(
    *,
    supernet: SupernetName,
    out: Annotated[Path, typer.Option("--out", help="CSV to write: arch, accuracy and image counts.", metavar="FILE")],
    checkpoint: Checkpoint = None,
    data: DataFolder = None,
    archs: Annotated[
        Path | None, typer.Option("--archs", help="Subnets to evaluate: a CSV with a column `arch`.", metavar="CSV")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", help="Evaluate this many distinct random subnets instead.", min=1, metavar="N"),
    ] = None,
    images: Images = 5000,
    calibrate: Calibrate = 2000,
    batch_size: BatchSize = 100,
    engine: EngineName = None,
    metric: MetricName = None,
    columns: ColumnOptions,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            help="fp32,int8 or fp32,int8,int4: each layer has its own precision, as in an exported file.",
            metavar="LIST",
        ),
    ] = None,
    fix: Fix = None,
    seed: Seed = 0,
    workers: WorkerOptions,
    on_failure: OnFailure = STOP,
) -> None:
    """Measure the accuracy of subnets with re-calibrated batch norms. A killed command resumes when it is run again.

    Results do not depend on the number of workers.

    Example: hwnas evaluate --supernet ofa_mbv3_w1.0 --data imagenet --sample 100 --fix r=224 --out accuracy.csv
    """
    import pandas as pd

    from hwnas.graph import MIXED
    from hwnas.io import arch_column, write_csv
    from hwnas.supernet import all_failed

    if (archs is None) == (sample is None):
        raise DataError("--archs and --sample", "one of them is needed", "pass --archs CSV or --sample N")
    check_out(out, "a table of accuracies", *TABLE)
    _refuse_to_replace_a_front(out)
    asked = Evaluation(
        supernet,
        checkpoint=checkpoint,
        data=data,
        images=images,
        calibrate=calibrate,
        batch_size=batch_size,
        seed=seed,
        engine=engine,
        columns=columns.named(),
        metric=metric,
        where=workers.where(),
        skip_failed=skips(on_failure),
    )
    with kept_in(beside(out, "journal.jsonl")):
        net = asked.net
        whole, computed = open_in(asked.space(), precision)
        if computed is not None and whole.plain is None:
            rule = "weights are evaluated in fp32, or each layer in its own precision"
            fixed = f"pass --precision fp32,{computed} --fix q={computed}"
            raise DataError(f"--precision {computed}", rule, fixed if computed in MIXED[1:] else "drop --precision")
        space = restricted(whole, fix)
        x = _subnets(space, archs, sample, seed)
        with (
            asked.measuring(out, space.precisions) as evaluator,
            progress(f"evaluating on {data or supernet}") as advance,
        ):
            pace = Pace(evaluator.executor.workers)
            evaluator.progress = lambda done, total: advance(done, total, f"subnets, {pace(done)}")
            found = evaluator.accuracies(x)
    accuracies = [accuracy for accuracy in found if accuracy is not None]
    x = x[[accuracy is not None for accuracy in found]]
    if not accuracies:
        raise all_failed(len(found))
    frame = pd.DataFrame([accuracy.as_row(net.metric) for accuracy in accuracies])
    frame.insert(0, "arch", arch_column(x, space))
    write_csv(frame, out)
    score, counts = net.measures(), accuracies[0]
    best = (max if score.maximise else min)(accuracy.value for accuracy in accuracies)
    calibrated = f", batch norms re-calibrated on {counts.n_calibration:,}" if counts.n_calibration else ""
    reached = f"best {score.label.lower()} {score.text(best)} on {counts.n_images:,} {noun_of(evaluator.data)}"
    notice(f"wrote {out}: {count_of(len(frame), 'subnet')}, {reached}{calibrated}")
    measured = "" if score is QUALITY else f" --metric {score.name}"
    measured += "" if registered(score.name) else f":{score.direction}"
    few = "" if len(frame) >= FEWEST_TO_FIT else f"   (once there are {FEWEST_TO_FIT} subnets or more)"
    notice(f"next: hwnas fit {as_argument(out)} --space {shlex.quote(whole.reference)}{measured}{few}")


def _refuse_to_replace_a_front(out: Path) -> None:
    """Refuse the CSV of a front or of predictions: the JSON beside it would call measured accuracies predicted.

    Raises:
        DataError: there is such a JSON.
    """
    from hwnas.report import provenance_path, read_provenance

    try:
        known = read_provenance(out)
    except DataError:  # the JSON is of another program
        return
    if known:
        rule = f"{provenance_path(out)} describes subnets that were searched or predicted"
        raise DataError(f"--out {out}", rule, f"write --out {out.with_name('measured.csv')}, or remove it")


def _subnets(space: SearchSpace, archs: Path | None, sample: int | None, seed: int) -> Population:
    from hwnas.io import in_file, read_archs, read_csv

    if archs is not None:
        with in_file(archs):
            x = read_archs(read_csv(archs), space)
        outside = ~space.contains(x)
        if outside.any():
            row = int(outside.argmax()) + 1
            raise DataError(f"file {archs}, row {row}", "--fix excludes its arch", "remove the row, or the option")
        return x
    wanted = min(sample or 0, space.size())
    if sample is not None and wanted < sample:
        notice(f"{space.name} has only {count_of(wanted, 'subnet')} here")
    rng = np.random.default_rng(seed)
    x = np.zeros((0, space.n_genes), dtype=np.int16)
    while len(x) < wanted:  # drawn with replacement, so top up until all are distinct
        x = np.concatenate([x, space.sample(wanted, rng)])
        _, first = np.unique(x, axis=0, return_index=True)
        x = x[np.sort(first)][:wanted]
    return x
