"""``hwnas bench``: compare searchers on the user's own problem."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from hwnas.cli._console import say, show
from hwnas.cli._options import AsJson
from hwnas.cli._shared import EvaluationOptions, ProblemOptions, shares_options
from hwnas.errors import DataError
from hwnas.files import beside, together
from hwnas.metric import registered
from hwnas.progress import notice, progress, resumable
from hwnas.quantity import count_of, parts_of
from hwnas.study import Study
from hwnas.study._facts import budget_facts, space_facts
from hwnas.study._outputs import Outputs
from hwnas.study._scoring import scoring_of
from hwnas.study._search import searching
from hwnas.study._setup import Setup
from hwnas.study._slow import SlowPredictor

if TYPE_CHECKING:
    from hwnas.io import Journal
    from hwnas.search import Problem

EXACT = "exact"
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
    task = study.setup
    with ExitStack() as open_until_run:
        measured = None
        if study.asked is not None:
            measured = open_until_run.enter_context(study.asked.opened(task.metrics.space, beside(out, "accuracy")))
            task = task.told_by(measured)
        searched = task.problem()
        if not begun:  # from here on nothing is refused
            task = task.keeping(tables)
            searched = task.problem()
        for note in [*task.notes, f"{count_of(searched.space.size(), 'subnet')} of {searched.space.name}"]:
            notice(note)
        journal = open_until_run.enter_context(Journal(path, _identity(task, evals, measured)))
        if n_run := sum(entry["searcher"] != EXACT for entry in journal.entries):
            notice(f"{path} holds {count_of(n_run, 'finished run')}; none is run again")
        with resumable(f"finished runs are kept in {path}"):
            column = measured.column if measured is not None else None
            result = _Results(searched, evals, journal, measured=column, insist=EXACT in names)
            result.run([name for name in names if name != EXACT], seeds)
    facts = {
        "command": shlex.join(["hwnas", *(context.obj or ["bench"])]),
        "space": space_facts(searched.space, task.reference),
        "objectives": [metric.column for metric in task.wanted],
        "directions": {metric.column: metric.direction for metric in task.wanted},
        **budget_facts(task.budgets),
        **task.facts,
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
    say(
        f"\nhypervolume of {', '.join(metric.column for metric in task.wanted)} in % of the {found}; mean ± std over seeds"
    )
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


def _identity(task: Setup, evals: int, measured: SlowPredictor | None) -> dict[str, Any]:
    """All that runs depend on, besides searcher and seed."""
    known = task.facts
    sources = {what: _source(known[what]) for what in ("device", "predictor")}
    others = {name: _source(facts) for name, facts in known.get("devices", {}).items()}
    untimed = {"precision": known.get("precision", "fp32"), "batch": task.metrics.batch} if task.table is None else {}
    about = space_facts(task.metrics.space)
    said = {m.column: m.direction for m in task.wanted if m != registered(m.column)}
    return {
        "kind": "bench",
        "space": about["name"],
        "fingerprint": about["fingerprint"],
        "restricted": about["restricted"],
        "objectives": [metric.column for metric in task.wanted],
        **({"directions": said} if said else {}),
        **budget_facts(task.budgets),
        "evaluations": evals,
        "sources": {**sources, "devices": others, "files": known.get("files", [])},
        **{what: value for what, value in untimed.items() if value not in ("fp32", 1)},
        **({measured.key: measured.conditions} if measured is not None else {}),
    }


def _source(facts: Mapping[str, Any] | None) -> str | None:
    """A file's digest; that of a latency table with its precision, as a file may hold several."""
    if facts is None:
        return None
    precision = facts.get("precision", "fp32")
    return facts["sha256"] if precision == "fp32" else f"{facts['sha256']} in {precision}"


class _Results:
    """The runs, and their hypervolumes over evaluations."""

    def __init__(self, problem: Problem, evals: int, journal: Journal, *, measured: str | None, insist: bool) -> None:
        from hwnas.search import Trial, best_known, is_computable

        self.problem, self.evals, self.journal, self.measured = problem, evals, journal, measured
        self.slow = measured or problem.objectives[0].name
        kept = {(e["searcher"], e["seed"]): np.array(e["x"], dtype=np.int16) for e in journal.entries}
        if insist and not is_computable(problem):
            rule = "a metric is no sum over layers, and the space is too large to score completely"
            raise DataError("--searchers exact", rule, "drop exact, or pass an additive predictor")
        if measured:
            self.best_is = "best measured"  # the front follows from the runs
        elif (EXACT, -1) not in kept:
            with searching("the best-known front") as report:
                self.front, self.best_is = best_known(problem, report)
            journal.append({"searcher": EXACT, "seed": -1, "x": self.front.tolist(), "is": self.best_is})
        else:
            self.front = kept.pop((EXACT, -1))
            self.best_is = next(str(e["is"]) for e in journal.entries if e["seed"] == -1)
        self.trials = {key: Trial(*key, x) for key, x in kept.items()}

    def run(self, names: list[str], seeds: int) -> None:
        """Run the searchers that are not in the journal, and compute the curves of all."""
        from hwnas.report import Curves
        from hwnas.search import SearchOptions, Yardstick, best_of, new_searcher, run_trial

        wanted = [(name, seed) for seed in range(seeds) for name in names]
        with progress("running") as advance:
            for done, (name, seed) in enumerate(wanted):
                advance(done, len(wanted), f"runs, {name} next")
                if (name, seed) not in self.trials:
                    options = SearchOptions(self.evals, seed)
                    trial = run_trial(name, new_searcher(name, replace(self.problem, slow=(self.slow,)), options))
                    self.journal.append({"searcher": name, "seed": seed, "x": trial.x.tolist()})
                    self.trials[name, seed] = trial
        mine = [self.trials[key] for key in sorted(wanted, key=lambda key: names.index(key[0]))]
        if self.measured:
            self.front = best_of(self.problem, mine)
        self.yardstick = Yardstick.of(self.problem, self.front)
        self.seeds = {name: [t.seed for t in mine if t.searcher == name] for name in names}
        runs = {name: [self.yardstick.curve(t.x) for t in mine if t.searcher == name] for name in self.seeds}
        self.curves = Curves.of(runs, self.yardstick.best, self.best_is, self.evals)

    def facts(self) -> dict[str, Any]:
        signs = [-1.0 if o.maximise else 1.0 for o in self.problem.objectives]
        reference = [float(s * r) for s, r in zip(signs, self.yardstick.reference, strict=True)]
        share = {name: 100 * v[:, -1] / self.curves.best for name, v in self.curves.volumes.items()}
        return {
            "best": {"is": self.best_is, "hypervolume": self.curves.best, "subnets": len(self.front)},
            "reference": dict(zip((o.name for o in self.problem.objectives), reference, strict=True)),
            "searchers": {
                name: {"share_pct": round(float(v.mean()), 4), "std": round(float(v.std()), 4), "seeds": len(v)}
                for name, v in share.items()
            },
        }

    def write(self, outputs: Outputs, facts: dict[str, Any]) -> None:
        """Write CSV, provenance and picture, all or none."""
        from hwnas.io import write_csv
        from hwnas.report import curves_frame, save_curves, write_provenance

        title = f"{self.problem.space.name}: searchers over {count_of(facts['seeds'], 'seed')}"
        with together():
            save_curves(self.curves, outputs.png, title, f"evaluations of {self.slow}; mean, worst to best seed")
            write_provenance(facts, outputs.json)
            write_csv(curves_frame(self.curves, self.seeds), outputs.csv)
