"""``hwnas bench``: compare searchers on the user's own problem."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from hwnas.arguments import parts_of
from hwnas.cli._console import say, show
from hwnas.cli._groups import EvaluationOptions, ProblemOptions, shares_options
from hwnas.cli._options import AsJson
from hwnas.errors import DataError
from hwnas.study._bench import run_searchers
from hwnas.study._outputs import Outputs
from hwnas.study._scoring import scoring_of
from hwnas.study._search_settings import EXACT
from hwnas.wording import count_of

FEWEST = 20
"""Least evaluations, so that LINAS has values to fit."""


@shares_options
def bench(
    context: typer.Context,
    *,
    searchers: Annotated[
        str,
        typer.Option(
            "--searchers",
            help="Some of random, nsga2, unsga3, evolution, linas. With exact, the command fails unless 100 % is the exact front.",
            metavar="LIST",
        ),
    ] = "random,nsga2,linas",
    seeds: Annotated[int, typer.Option("--seeds", help="Runs of each searcher.", min=1, metavar="N")] = 5,
    evals: Annotated[
        int, typer.Option("--evals", help="Subnets each run may evaluate.", min=FEWEST, metavar="N")
    ] = 300,
    problem: ProblemOptions,
    accuracy: EvaluationOptions,
    out: Annotated[Path, typer.Option("--out", help="CSV to write; .json and .png beside it.", metavar="FILE")] = Path(
        "bench.csv"
    ),
    to_json: AsJson = False,
) -> None:
    """Compare searchers on your problem: hypervolume against evaluations of the first objective, over seeds.

    Hypervolumes are in percent of the exact front's if it can be computed, otherwise of a long search's; with --evaluate, of
    the front of all measured subnets. A killed command resumes when it is run again, also with more seeds or searchers.

    Example: hwnas bench --space nasbench201 --table cells.csv --objectives top1=valid,latency=phone --seeds 10
    """
    from hwnas.report import curves_table

    names, request = _searchers(searchers), problem.request()
    asked = accuracy.evaluation(problem.space, evals, seed=0) or scoring_of(request, evals)
    if asked is not None:
        asked.refuse_unused({"--searchers exact": EXACT in names})
    outputs = Outputs(out)
    outputs.check()
    runs, found = run_searchers(request, asked, names, seeds, evals, out)
    facts = {"command": shlex.join(["hwnas", *(context.obj or ["bench"])]), **found}
    runs.write(outputs, facts)
    if to_json:
        say(json.dumps(facts, indent=2))
        return
    show(curves_table(runs.curves))
    best = f"{runs.best_is} front, {count_of(len(runs.front), 'subnet')}"
    say(f"\nhypervolume of {', '.join(facts['objectives'])} in % of the {best}; mean ± std over seeds")
    say("to 95 %: evaluations until then, median over seeds")
    say(f"wrote {outputs.csv}, {outputs.json}, {outputs.png}")


def _searchers(text: str) -> list[str]:
    from hwnas.search import searcher_maker

    names = list(dict.fromkeys(parts_of(text, "--searchers ")))
    for name in names:
        searcher_maker(name)  # refuses a package that does not load before the first run, not hours later
    if not set(names) - {EXACT}:
        rule = "the exact front is only the reference of other searchers"
        raise DataError(f"--searchers {text}", rule, "name others, for example random,nsga2,linas")
    return names
