"""``hwnas search``: find the Pareto front under a budget."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._console import say, show
from hwnas.cli._groups import ColumnOptions, EvaluationOptions, ProblemOptions, shares_options
from hwnas.cli._next import next_steps
from hwnas.cli._options import STOP, AsJson, OnFailure, Seed, skips
from hwnas.errors import DataError
from hwnas.files import beside
from hwnas.progress import kept_in
from hwnas.study import DEFAULT_SPACE
from hwnas.study._slow_metric import FEWEST
from hwnas.wording import count_of

EVALUATIONS = 150
"""Subnets that a search evaluates, or scores, by default."""


@shares_options
def search(
    context: typer.Context,
    *,
    problem: ProblemOptions,
    searcher: Annotated[
        str | None,
        typer.Option(
            "--searcher",
            help="nsga2, unsga3, exact, linas, evolution, random; default: nsga2, unsga3 for three or more objectives, "
            "linas with --evaluate, exact with --library.",
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
    top: Annotated[
        int | None, typer.Option("--top", help="Keep only the K most accurate subnets.", min=1, metavar="K")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Measure the front on the main device, adapt its table, and search again until the front holds the budget.",
        ),
    ] = False,
    accuracy: EvaluationOptions,
    columns: ColumnOptions,
    seed_archs: Annotated[
        Path | None,
        typer.Option(
            "--seed-archs", help="CSV of subnets to start from, such as another device's front.", metavar="FILE"
        ),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(
            "--prior", help="With --evaluate: accuracies from other data, a CSV or a predictor.", metavar="FILE"
        ),
    ] = None,
    on_failure: OnFailure = STOP,
    racing: Annotated[
        bool,
        typer.Option(
            "--racing",
            help="With --evaluate: show all samples only to subnets that may be on the front, and a tenth to others.",
        ),
    ] = False,
    asynchronous: Annotated[
        bool,
        typer.Option(
            "--asynchronous",
            help="With --evaluate and workers: no worker waits for others, which suits uneven clusters. Two runs differ.",
        ),
    ] = False,
    evals: Annotated[
        int | None,
        typer.Option(
            "--evals",
            help="Subnets to evaluate, or to score untrained.",
            min=FEWEST,
            metavar="N",
            show_default=str(EVALUATIONS),
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="CSV to write; .json and .png beside it.", metavar="FILE")] = Path(
        "pareto.csv"
    ),
    to_json: AsJson = False,
) -> None:
    """Find the Pareto front of subnets, accuracy against latency on your device.

    If this machine has no latency table, one is made first. With --evaluate, accuracies are measured instead of
    predicted, and a killed command resumes when it is run again.

    Example: hwnas search --latency 20ms --fix r=192,224 --out pareto.csv
    """
    from hwnas.report import front_table
    from hwnas.search import TOLERANCE
    from hwnas.study import SearchSettings, Study
    from hwnas.study._outputs import Outputs
    from hwnas.study._scoring import scoring_of

    settings = SearchSettings(searcher, population, generations, seed, top, verify, seed_archs, prior, asynchronous)
    request, n = problem.request(), evals or EVALUATIONS
    skip, tolerance = skips(on_failure), TOLERANCE if racing else None
    evaluation = accuracy.evaluation(problem.space, n, seed, columns.named(), skip_failed=skip, racing=tolerance)
    asked = evaluation or scoring_of(request, n, seed)
    if asked is None and evals is not None and not request.unknown:  # unknown objectives are refused later, by name
        rule = "a search by predictions counts generations"
        raise DataError(f"--evals {evals}", rule, "drop --evals, or add --evaluate")
    outputs = Outputs(out)
    with kept_in(beside(out, "journal.jsonl"), beside(out, "verify.jsonl")):
        if verify and asked is None and problem.library is None and not request.budgets.devices:
            raise DataError("--verify", "it checks a latency budget", "pass --latency TIME")
        outputs.check()
        study = Study.of(request, asked)
        found = study.searched(settings, out)
    typed = context.obj or ["search"]
    front = replace(found, provenance=replace(found.provenance, command=shlex.join(["hwnas", *typed]))).save(out)
    if to_json:
        say(front.to_json())
        return
    about = front.provenance
    show(front_table(front.frame, also=(*about.objectives, *about.budgets, *about.floors)))
    took = f"{count_of(about.evaluations or 0, 'subnet')} scored in {about.wall_s:.1f} s"
    say(f"\nwrote {outputs.csv}, {outputs.json}, {outputs.png} ({took})")
    supernet = study.setup.reference
    if study.space.slots:
        supernet = evaluation.supernet if evaluation is not None else problem.space or DEFAULT_SPACE
    timed_here = study.is_timed_here and not verify
    for line in next_steps(outputs.csv, len(front), supernet, typed, timed_here=timed_here):
        say(line)
