"""``hwnas search``: the Pareto front under a budget."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli._console import notice, progress_bar, show
from hwnas.cli._front import (
    Outputs,
    as_json,
    axes_of,
    front_frame,
    random_sample,
    search_facts,
    space_facts,
)
from hwnas.cli._inputs import find_predictor, find_table, narrowed
from hwnas.cli._options import (
    DEFAULT_SPACE,
    AsJson,
    Device,
    Fix,
    PredictorName,
    Seed,
    Space,
    TableBatch,
    TableThreads,
    restricted,
)
from hwnas.cli._problem import Metrics, parse_budgets, parse_objectives
from hwnas.errors import UnknownNameError

if TYPE_CHECKING:
    from hwnas.search import Problem, Progress, SearchResult
    from hwnas.space import SearchSpace


def search(
    context: typer.Context,
    latency: Annotated[
        str | None, typer.Option("--latency", help="Latency budget: 20ms, 0.02s.", metavar="TIME")
    ] = None,
    device: Device = "cpu",
    space: Space = DEFAULT_SPACE,
    predictor: PredictorName = None,
    macs: Annotated[str | None, typer.Option("--macs", help="MACs budget: 300M, 1.2G.", metavar="COUNT")] = None,
    params: Annotated[str | None, typer.Option("--params", help="Parameter budget: 5M.", metavar="COUNT")] = None,
    objectives: Annotated[
        str, typer.Option("--objectives", help="What to trade off: of top1, latency, macs, params.", metavar="LIST")
    ] = "top1,latency",
    fix: Fix = None,
    searcher: Annotated[str, typer.Option("--searcher", help="nsga2, random or exact.", metavar="NAME")] = "nsga2",
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
    top: Annotated[
        int | None, typer.Option("--top", help="Keep only the K most accurate subnets.", min=1, metavar="K")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="CSV to write; .json and .png beside it.", metavar="FILE")] = Path(
        "pareto.csv"
    ),
    to_json: AsJson = False,
) -> None:
    """Find the Pareto front of subnets, accuracy against latency on your device.

    Without a latency table of this machine, one is profiled first.

    Example: hwnas search --latency 20ms --fix r=192,224 --out pareto.csv
    """
    from hwnas.report import front_table
    from hwnas.search import GENERATIONS, POPULATION, SEARCHERS
    from hwnas.space import get_space

    budgets = parse_budgets(latency, macs, params)
    wanted = parse_objectives(objectives)
    if searcher not in SEARCHERS:
        raise UnknownNameError("searcher", searcher, SEARCHERS)
    outputs = Outputs(out)
    outputs.check()
    whole = restricted(get_space(space), fix)
    _refuse_infeasible_counts(whole, budgets)
    accuracy = find_predictor(get_space(space), predictor) if "top1" in wanted else None
    timed = "latency_ms" in wanted or "latency_ms" in budgets
    table = find_table(whole, device, threads=threads, batch=batch) if timed else None
    metrics, notes = narrowed(whole, accuracy, table)
    problem = metrics.problem(wanted, budgets)
    problem.refuse_infeasible()
    for note in [*notes, f"searching {metrics.space.size():.3g} subnets of {metrics.space.name}"]:
        notice(note)
    settings = {"population": population or POPULATION, "generations": generations or GENERATIONS}

    started = time.perf_counter()
    result = _run(problem, searcher, seed, settings)
    wall_s = time.perf_counter() - started

    frame = front_frame(result, metrics, top)
    facts = {
        "command": shlex.join(["hwnas", *(context.obj or ["search"])]),
        **search_facts(result, budgets, settings),
        "space": space_facts(metrics.space),
        "device": table.facts if table else None,
        "predictor": accuracy.facts if accuracy else None,
        "wall_s": round(wall_s, 3),
        "rows": len(frame),
        "random_sample": random_sample(metrics, axes_of(list(frame.columns), wanted), budgets, seed),
    }
    outputs.write(frame, facts)
    if to_json:
        typer.echo(as_json(frame, facts))
        return
    show(front_table(frame))
    typer.echo(f"\nwrote {outputs.csv}, {outputs.json}, {outputs.png} ({_took(result, wall_s)})")
    written = shlex.quote(str(outputs.csv))
    typer.echo(f"next: hwnas report {written} --html     (the front as a page to explore)")
    typer.echo(f"      hwnas export {written} --row 1    (a subnet as ONNX; its weights: hwnas download {space})")


def _refuse_infeasible_counts(space: SearchSpace, budgets: dict[str, float]) -> None:
    """Budgets that need no table are checked first: a table may take minutes to profile."""
    counts = {name: upper for name, upper in budgets.items() if name != "latency_ms"}
    if counts:
        Metrics(space, None, None).problem([next(iter(counts))], counts).refuse_infeasible()


def _run(problem: Problem, searcher: str, seed: int, settings: dict[str, Any]) -> SearchResult:
    from hwnas.search import run_search

    with progress_bar("searching") as advance:

        def report(p: Progress) -> None:
            advance(p.step, p.steps, f"{p.evaluations} subnets scored, {p.front} on the front")

        return run_search(problem, searcher, seed=seed, progress=report, **settings)


def _took(result: SearchResult, wall_s: float) -> str:
    return f"{result.evaluations:,} subnets scored in {wall_s:.1f} s"
