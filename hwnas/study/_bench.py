"""Runs of several searchers on one problem, and how fast each approaches the best front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.errors import DataError
from hwnas.files import beside, together
from hwnas.metric import registered
from hwnas.progress import notice, progress, resumable
from hwnas.study._facts import budget_facts, space_facts
from hwnas.study._outputs import Outputs
from hwnas.study._request import Request
from hwnas.study._search import searching
from hwnas.study._search_settings import EXACT
from hwnas.study._setup import Setup
from hwnas.study._study import Study
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.io import Journal
    from hwnas.search import Problem
    from hwnas.study._slow_metric import SlowMetric, SlowPredictor


def run_searchers(
    request: Request, asked: SlowMetric | None, names: Sequence[str], seeds: int, evals: int, out: Path
) -> tuple[Runs, dict[str, Any]]:
    """Run searchers on a problem, except for those whose runs are in the journal beside ``out``.

    Args:
        request: the problem.
        asked: measures accuracies, or scores untrained networks; None if accuracies are predicted.
        names: of the searchers; ``exact`` asks for the exact front.
        seeds: runs of each searcher.
        evals: subnets that each run may evaluate.
        out: the CSV that the runs will be written to.

    Returns:
        All runs, and facts about them for the provenance.

    Raises:
        HwnasError: something does not fit.
    """
    from hwnas.io import Journal
    from hwnas.search import is_computable

    path, tables = beside(out, "journal.jsonl"), beside(out, "tables")
    study = Study.of(replace(request, kept=tables if path.exists() else None), asked)
    setup, measured = study.setup, None
    with ExitStack() as open_until_run:
        if study.asked is not None:
            measured = open_until_run.enter_context(study.asked.opened(setup.metrics.space, beside(out, "accuracy")))
            setup = setup.told_by(measured, measured.column)
        setup.problem()  # from here on nothing is refused
        setup = setup.keeping(tables)
        problem = setup.problem()
        for note in [*setup.notes, f"{count_of(problem.space.size(), 'subnet')} of {problem.space.name}"]:
            notice(note)
        journal = open_until_run.enter_context(Journal(path, _identity(setup, evals, measured)))
        if n_run := sum(entry["searcher"] != EXACT for entry in journal.entries):
            notice(f"{path} holds {count_of(n_run, 'finished run')}; none is run again")
        with resumable(f"finished runs are kept in {path}"):
            if EXACT in names and not is_computable(problem):
                rule = "a metric is no sum over layers, and the space is too large to score completely"
                raise DataError("searcher exact", rule, "drop it, or pass an additive predictor")
            runs = Runs(problem, evals, journal, measured=measured.column if measured is not None else None)
            runs.run([name for name in names if name != EXACT], seeds)
    return runs, {
        "space": space_facts(problem.space, setup.reference),
        "objectives": [metric.column for metric in setup.wanted],
        "directions": {metric.column: metric.direction for metric in setup.wanted},
        **budget_facts(setup.budgets),
        **setup.facts,
        **({measured.key: measured.facts} if measured is not None else {}),
        "evaluations": evals,
        "seeds": seeds,
        **runs.facts(),
    }


def _identity(setup: Setup, evals: int, measured: SlowPredictor | None) -> dict[str, Any]:
    """All that runs depend on, besides searcher and seed."""
    known = setup.facts
    sources = {what: _source(known[what]) for what in ("device", "predictor")}
    others = {name: _source(facts) for name, facts in known.get("devices", {}).items()}
    timed = setup.metrics.table is not None
    untimed = {} if timed else {"precision": known.get("precision", "fp32"), "batch": setup.metrics.batch}
    about = space_facts(setup.metrics.space)
    said = {m.column: m.direction for m in setup.wanted if m != registered(m.column)}
    return {
        "kind": "bench",
        "space": about["name"],
        "fingerprint": about["fingerprint"],
        "restricted": about["restricted"],
        "objectives": [metric.column for metric in setup.wanted],
        **({"directions": said} if said else {}),
        **budget_facts(setup.budgets),
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


class Runs:
    """The runs, and their hypervolumes over evaluations.

    Args:
        problem: the problem.
        evals: subnets that each run may evaluate.
        journal: keeps finished runs.
        measured: column of the metric that is evaluated subnet by subnet; None if all are predicted.
    """

    def __init__(self, problem: Problem, evals: int, journal: Journal, *, measured: str | None) -> None:
        from hwnas.search import Trial, best_known

        self.problem, self.evals, self.journal, self.measured = problem, evals, journal, measured
        self.slow = measured or problem.objectives[0].name
        kept = {(e["searcher"], e["seed"]): np.array(e["x"], dtype=np.int16) for e in journal.entries}
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
        """Facts for the provenance: the best front, and the share of its hypervolume that each searcher found."""
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
