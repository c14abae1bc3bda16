"""``hwnas bench``: compare searchers on the user's own problem."""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._console import say, show
from hwnas.cli._groups import EvaluationOptions, ProblemOptions, shares_options
from hwnas.cli._options import AsJson
from hwnas.errors import DataError
from hwnas.files import beside
from hwnas.progress import notice, resumable
from hwnas.quantity import count_of, parts_of
from hwnas.study import Study
from hwnas.study._bench import Runs, identity
from hwnas.study._facts import budget_facts, space_facts
from hwnas.study._outputs import Outputs
from hwnas.study._scoring import scoring_of
from hwnas.study._search_settings import EXACT

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
    from hwnas.io import Journal
    from hwnas.report import curves_table
    from hwnas.search import is_computable

    names = _searchers(searchers)
    path, tables = beside(out, "journal.jsonl"), beside(out, "tables")
    begun = path.exists()
    request = replace(problem.request(), kept=tables if begun else None)
    asked = accuracy.evaluation(problem.space, evals, seed=0) or scoring_of(request, evals)
    if asked is not None:
        asked.refuse_unused({"--searchers exact": EXACT in names})
    outputs = Outputs(out)
    outputs.check()
    study = Study.of(request, asked)
    setup = study.setup
    with ExitStack() as open_until_run:
        measured = None
        if study.asked is not None:
            measured = open_until_run.enter_context(study.asked.opened(setup.metrics.space, beside(out, "accuracy")))
            setup = setup.told_by(measured)
        searched = setup.problem()
        if not begun:  # from here on nothing is refused
            setup = setup.keeping(tables)
            searched = setup.problem()
        for note in [*setup.notes, f"{count_of(searched.space.size(), 'subnet')} of {searched.space.name}"]:
            notice(note)
        journal = open_until_run.enter_context(Journal(path, identity(setup, evals, measured)))
        if n_run := sum(entry["searcher"] != EXACT for entry in journal.entries):
            notice(f"{path} holds {count_of(n_run, 'finished run')}; none is run again")
        with resumable(f"finished runs are kept in {path}"):
            if EXACT in names and not is_computable(searched):
                rule = "a metric is no sum over layers, and the space is too large to score completely"
                raise DataError("--searchers exact", rule, "drop exact, or pass an additive predictor")
            result = Runs(searched, evals, journal, measured=measured.column if measured is not None else None)
            result.run([name for name in names if name != EXACT], seeds)
    objectives = [metric.column for metric in setup.wanted]
    facts = {
        "command": shlex.join(["hwnas", *(context.obj or ["bench"])]),
        "space": space_facts(searched.space, setup.reference),
        "objectives": objectives,
        "directions": {metric.column: metric.direction for metric in setup.wanted},
        **budget_facts(setup.budgets),
        **setup.facts,
        **({measured.key: measured.facts} if measured is not None else {}),
        "evaluations": evals,
        "seeds": seeds,
        **result.facts(),
    }
    result.write(outputs, facts)
    if to_json:
        say(json.dumps(facts, indent=2))
        return
    show(curves_table(result.curves))
    found = f"{result.best_is} front, {count_of(len(result.front), 'subnet')}"
    say(f"\nhypervolume of {', '.join(objectives)} in % of the {found}; mean ± std over seeds")
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
