"""``hwnas search``: the Pareto front under a budget."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli._console import say, show
from hwnas.cli._options import (
    AsIs,
    AsJson,
    Budget,
    Device,
    Fix,
    Latency,
    LayerCosts,
    Library,
    Macs,
    Memory,
    ObjectivesList,
    Params,
    PredictorName,
    Seed,
    Space,
    SubnetTables,
    TableBatch,
    TablePrecision,
    TableThreads,
    Throughput,
    was_given,
)
from hwnas.cli._supernet import BatchSize, Calibrate, Checkpoint, DataFolder, EvaluatedSupernet, Images
from hwnas.errors import DataError, UnknownNameError
from hwnas.metric import LATENCY
from hwnas.progress import notice, progress
from hwnas.study._evaluation import Evaluation, supernet_name
from hwnas.study._measuring import Bench, require_here
from hwnas.study._outputs import (
    Outputs,
    as_json,
    axes_of,
    front_frame,
    next_steps,
    random_sample,
    search_facts,
    space_facts,
    values_of,
)
from hwnas.study._setup import prepare
from hwnas.study._space import DEFAULT_SPACE
from hwnas.study._targets import Asked
from hwnas.study._verify import Verifier
from hwnas.study._warm_start import warm_start

if TYPE_CHECKING:
    from hwnas.search import Problem, Progress, SearchResult
    from hwnas.space import Population

EXACT = "exact"


def search(
    context: typer.Context,
    latency: Latency = None,
    device: Device = "cpu",
    space: Space = DEFAULT_SPACE,
    predictor: PredictorName = None,
    macs: Macs = None,
    params: Params = None,
    memory: Memory = None,
    throughput: Throughput = None,
    budget: Budget = None,
    objectives: ObjectivesList = None,
    fix: Fix = None,
    library: Library = None,
    table: SubnetTables = None,
    costs: LayerCosts = None,
    searcher: Annotated[
        str | None,
        typer.Option(
            "--searcher",
            help="nsga2, unsga3, exact, linas, evolution, random; default: nsga2, unsga3 for three or more objectives, "
            "linas with --evaluate.",
            metavar="NAME",
        ),
    ] = None,
    population: Annotated[
        int | None,
        typer.Option("--population", help="Subnets per generation; default: the searcher's.", min=2, metavar="N"),
    ] = None,
    generations: Annotated[
        int | None, typer.Option("--generations", help="Generations; default: the searcher's.", min=1, metavar="N")
    ] = None,
    seed: Seed = 0,
    threads: TableThreads = None,
    batch: TableBatch = None,
    precision: TablePrecision = None,
    as_is: AsIs = False,
    top: Annotated[
        int | None, typer.Option("--top", help="Keep only the K most accurate subnets.", min=1, metavar="K")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Measure the front on the main device, correct its table, search again until it holds."
        ),
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Measure accuracies on the supernet's weights, by LINAS.")
    ] = False,
    supernet: EvaluatedSupernet = None,
    seed_archs: Annotated[
        Path | None,
        typer.Option("--seed-archs", help="CSV of subnets to start from, say another device's front.", metavar="FILE"),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option("--prior", help="With --evaluate: accuracies from elsewhere, a CSV or predictor.", metavar="FILE"),
    ] = None,
    evals: Annotated[int, typer.Option("--evals", help="Subnets to evaluate.", min=1, metavar="N")] = 150,
    checkpoint: Checkpoint = None,
    data: DataFolder = None,
    images: Images = 5000,
    calibrate: Calibrate = 2000,
    batch_size: BatchSize = 100,
    out: Annotated[Path, typer.Option("--out", help="CSV to write; .json and .png beside it.", metavar="FILE")] = Path(
        "pareto.csv"
    ),
    to_json: AsJson = False,
) -> None:
    """Find the Pareto front of subnets, accuracy against latency on your device.

    Without a latency table of this machine, one is profiled first. With --evaluate, accuracies are measured
    instead of predicted; killed at any moment, the same command resumes.

    Example: hwnas search --latency 20ms --fix r=192,224 --out pareto.csv
    """
    from hwnas.latency import misfits
    from hwnas.report import front_table
    from hwnas.search import GENERATIONS, POPULATION, searcher_names

    if searcher is not None and searcher not in searcher_names():
        raise UnknownNameError("searcher", searcher, searcher_names())
    asked = Asked(
        space,
        objectives,
        latency or (),
        throughput or (),
        macs,
        params,
        memory,
        budget or (),
        device if was_given(context, "device") else None,
        predictor,
        fix or (),
        library,
        table or (),
        costs or (),
        threads,
        batch,
        precision,
        as_is,
    )
    net = supernet_name(evaluate, supernet, space, DEFAULT_SPACE)
    evaluation = Evaluation(net, evals, checkpoint, data, images, calibrate, batch_size, seed) if evaluate else None
    if evaluation is not None:
        unused = {"--population": population, "--generations": generations}
        files = {"--library": library, "--table": table, "--predictor": predictor, "--verify": verify}
        evaluation.refuse_mixed(objectives, {**unused, **files})
    elif prior is not None:
        raise DataError(f"--prior {prior}", "predictions need none", "pass it as --predictor, or add --evaluate")
    if seed_archs is not None and searcher == EXACT:
        raise DataError(f"--seed-archs {seed_archs}", "the exact front needs no start", "drop it")
    outputs = Outputs(out)
    outputs.check()
    if verify and not (latency or throughput or any(b.startswith(LATENCY.name) for b in budget or ())):
        raise DataError("--verify", "it checks a latency budget", "pass --latency TIME")
    task = prepare(asked, *(evaluation.told() if evaluation is not None else ()))
    if verify and LATENCY.column not in task.budgets:
        raise DataError("--verify", "it checks a latency budget", "pass --latency TIME")
    metrics, wanted, budgets = task.metrics, task.wanted, task.budgets
    warm = warm_start(
        metrics.space, seed_archs, prior, evaluated=evaluation.metric().column if evaluation is not None else None
    )
    bench = Bench(require_here(task.table.it, device), task.table.it) if verify and task.table is not None else None
    started = time.perf_counter()
    with ExitStack() as open_until_written:
        measured = None
        if evaluation is not None:
            measured = open_until_written.enter_context(evaluation.opened(metrics.space, outputs.csv))
            metrics = replace(metrics, predictor=measured, tells=measured.column)
        problem = replace(task, metrics=metrics).problem()
        verified = _told_of_verifying(bench, list(task.others)) if bench is not None else ()
        for note in [*task.notes, *verified, f"searching {metrics.space.size():.3g} subnets of {metrics.space.name}"]:
            notice(note)
        settings = {"population": population or POPULATION, "generations": generations or GENERATIONS}
        verifier = None
        if measured is not None:
            settings = {"evaluations": evals}
            result = measured.search(problem, searcher, evals, seed, warm)
        elif bench is not None:
            journal = outputs.csv.with_name(f"{outputs.csv.name}.verify.jsonl")
            verifier = Verifier(metrics, bench, journal, wanted, budgets, seed)
            result, metrics = verifier.run(lambda p: _run(p, searcher, seed, settings, warm.rows))
        else:
            result = _run(problem, searcher, seed, settings, warm.rows)
        wall_s = time.perf_counter() - started

        frame = front_frame(result, metrics, top)
        if verifier is not None:
            frame = verifier.add_measured(frame)
        if measured is not None:
            frame.insert(len(frame.columns) - 1, f"{measured.column}_source", measured.source)
        columns = [metric.column for metric in wanted]
        axes = axes_of(list(frame.columns), columns)
        facts = {
            "command": shlex.join(["hwnas", *(context.obj or ["search"])]),
            **search_facts(result, budgets, settings),
            "space": space_facts(metrics.space),
            **task.facts,
            **warm.facts,
            "evaluator": measured.facts if measured else None,
            "verified": verifier.facts() if verifier else None,
            "wall_s": round(wall_s, 3),
            "rows": len(frame),
            "random_sample": values_of(metrics, measured.rows, axes)
            if measured
            else random_sample(metrics, axes, budgets, seed),
        }
        outputs.write(frame, facts)
    if verifier is not None:
        verifier.journal.unlink(missing_ok=True)
    if to_json:
        say(as_json(frame, facts))
        return
    show(front_table(frame, also=(*columns, *budgets)))
    say(f"\nwrote {outputs.csv}, {outputs.json}, {outputs.png} ({_took(result, wall_s)})")
    here = task.table is not None and misfits(task.table.it) == []
    for line in next_steps(
        outputs.csv,
        len(frame),
        net if metrics.space.slots else None,
        checkpoint,
        data,
        timed_here=here and verifier is None,
    ):
        say(line)


def _told_of_verifying(bench: Bench, others: Sequence[str]) -> tuple[str, ...]:
    """Only the main device is at hand for sure; tables of others are mostly of other machines."""
    if not others:
        return ()
    return (f"--verify measures on {bench.device.id}; latency on {', '.join(others)} stays as predicted",)


def _run(
    problem: Problem, searcher: str | None, seed: int, settings: dict[str, Any], start: Population | None
) -> SearchResult:
    from hwnas.search import run_search

    with progress("searching") as advance:

        def report(p: Progress) -> None:
            advance(p.evaluations, p.budget, f"subnets scored, {p.front} on the front")

        return run_search(problem, searcher, seed=seed, progress=report, start=start, **settings)


def _took(result: SearchResult, wall_s: float) -> str:
    return f"{result.evaluations:,} subnets scored in {wall_s:.1f} s"
