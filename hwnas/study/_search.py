"""Run a search from end to end: by predictions, verified by measurements, or by evaluations of a supernet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, SpaceError
from hwnas.metric import LATENCY
from hwnas.progress import notice, progress
from hwnas.study._evaluation import Evaluation
from hwnas.study._facts import search_facts, space_facts, weights_facts
from hwnas.study._front import Front
from hwnas.study._library_file import SCORE, scored_on
from hwnas.study._picture import axes_of
from hwnas.study._place import Place, require_here
from hwnas.study._sample import random_sample, values_of
from hwnas.study._search_settings import EXACT, WITHOUT_GENERATIONS, SearchSettings
from hwnas.study._setup import Setup
from hwnas.study._unfinished import Unfinished
from hwnas.study._verify import Verifier
from hwnas.study._verify_library import LibraryVerifier
from hwnas.study._warm_start import warm_start
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.search import Problem, SearchProgress, SearchResult
    from hwnas.space import Population
    from hwnas.study._metrics import Metrics
    from hwnas.study._slow_metric import SlowMetric, SlowPredictor

EXACTLY = 3
"""Most objectives for which a library's exact front is tried; with four it takes a minute to find that it is too large."""


def search(setup: Setup, settings: SearchSettings, asked: SlowMetric | None, path: Path) -> Front:
    """Find the front of a problem.

    Args:
        setup: the problem and the sources of its metrics.
        settings: how to search; they go together.
        asked: measures accuracies, or scores untrained networks; None if accuracies are predicted.
        path: the CSV of the front. Journals of measurements are kept beside it, from which a killed search resumes.

    Raises:
        InfeasibleError: no subnet meets a budget.
        NotHeldError: no measured subnet holds the budget.
    """
    if settings.verify:
        _refuse_unverifiable(setup)
    unfinished = Unfinished(path)
    resumes = settings.verify or asked is not None
    space = setup.metrics.space
    evaluated = asked.measures().column if asked is not None else None
    warm = warm_start(space, settings.seed_archs, settings.prior, evaluated=evaluated)
    started = time.perf_counter()
    with ExitStack() as open_until_done:
        measured = open_until_done.enter_context(asked.opened(space, path)) if asked is not None else None
        setup = setup.told_by(measured, measured.column) if measured is not None else setup
        problem = setup.problem()
        if resumes:  # from here on nothing is refused
            setup = unfinished.keeping(setup)
            problem = setup.problem()
        verifier = _verifier(setup, settings, unfinished.verified) if settings.verify else None
        notes = [*setup.notes, *(verifier.notes if verifier is not None else ())]
        for note in [*notes, f"searching {count_of(space.size(), 'subnet')} of {space.name}"]:
            notice(note)
        run = partial(_predicted, settings=settings, start=warm.rows, library=setup.given.library is not None)
        if asked is not None and measured is not None:
            result = measured.search(problem, settings, asked.evals, warm)
        elif verifier is not None:
            result, setup = verifier.run(run)
        else:
            result = run(problem)
        wall_s = time.perf_counter() - started
        frame = _frame(setup.metrics, result, settings.top, measured, verifier)
        axes = axes_of(list(frame.columns), [metric.column for metric in setup.wanted])
        facts = {
            **search_facts(result, setup.budgets, _used(settings, asked) if result.searcher != EXACT else {}),
            "space": space_facts(space, setup.reference),
            "weights": _weights(asked, setup.reference),
            **setup.facts,
            **warm.facts,
            **({measured.key: measured.facts} if measured else {}),
            "verified": verifier.facts() if verifier else None,
            "wall_s": round(wall_s, 3),
            "rows": len(frame),
            "random_sample": random_sample(setup.metrics, axes, setup.budgets, settings.seed)
            if measured is None
            else values_of(setup.metrics, measured.rows, axes),
        }
    journals = (unfinished.tables, *((unfinished.verified,) if settings.verify else ())) if resumes else ()
    return Front.of(frame, facts, space, journals)


def _frame(
    metrics: Metrics,
    result: SearchResult,
    top: int | None,
    measured: SlowPredictor | None,
    verifier: Verifier | LibraryVerifier | None,
) -> pd.DataFrame:
    """The table of the front, with the columns of evaluations or measurements if there are any."""
    beside = measured.beside(result.x) if measured is not None else {}
    frame = metrics.frame(result, {**metrics.score(result.x), **beside})
    frame = frame if top is None else frame.head(top)
    if verifier is not None:
        frame = verifier.add_measured(frame)
    if measured is not None:
        frame.insert(len(frame.columns) - 1, f"{measured.column}_source", measured.source)
    return frame


def _refuse_unverifiable(setup: Setup) -> None:
    """Refuse to verify a front if there is nothing to measure here, or no budget to hold."""
    if setup.given.of_model:
        if SCORE not in setup.metrics.given:
            raise DataError("verify", f"the library has no column {SCORE} to check", "build it again")
    elif LATENCY.column not in setup.budgets:
        raise DataError("verify", "it checks a latency budget", "pass --latency TIME")
    elif setup.metrics.table is None:
        raise DataError("verify", "it times networks, but here latency comes from a file", "drop --verify")
    else:
        require_here(setup.metrics.table, setup.device)


def _verifier(setup: Setup, settings: SearchSettings, journal: Path) -> Verifier | LibraryVerifier:
    """The verifier of latencies; that of scores if the space is the library of a model."""
    if setup.given.library is not None:
        return LibraryVerifier(setup, scored_on(setup.given.library), journal)
    table = setup.metrics.tables[""].it
    place = Place(require_here(table, setup.device), table.precision, table)
    return Verifier(setup, place, journal, settings.seed)


def _weights(asked: SlowMetric | None, reference: str | None) -> dict[str, str] | None:
    """The file of the front's weights, for the provenance."""
    if isinstance(asked, Evaluation):
        return weights_facts(asked.supernet, asked.checkpoint)
    return weights_facts(reference, None) if reference is not None else None


def _predicted(problem: Problem, settings: SearchSettings, start: Population | None, *, library: bool) -> SearchResult:
    """The front of predictions. For a library it is exact, if it is not too large and the settings leave the choice."""
    chosen = (start, settings.searcher, settings.population, settings.generations)
    if library and len(problem.objectives) <= EXACTLY and all(value is None for value in chosen):
        try:
            return _run(problem, replace(settings, searcher=EXACT), None)
        except SpaceError:
            notice("its exact front is too large to compute: a search finds a part of it")
    return _run(problem, settings, start)


def _used(settings: SearchSettings, asked: SlowMetric | None) -> dict[str, Any]:
    """The settings that a search has used, for the provenance."""
    if asked is None:
        return _sizes(settings)
    return {"evaluations": asked.evals, **({"asynchronous": True} if settings.asynchronous else {})}


def _sizes(settings: SearchSettings) -> dict[str, Any]:
    from hwnas.search import GENERATIONS, POPULATION

    if settings.searcher in WITHOUT_GENERATIONS:
        return {}
    return {
        "population": settings.population or POPULATION,
        "generations": settings.generations or GENERATIONS,
    }


def _run(problem: Problem, settings: SearchSettings, start: Population | None) -> SearchResult:
    from hwnas.search import run_search

    with searching() as report:
        name, seed = settings.searcher, settings.seed
        return run_search(problem, name, seed=seed, progress=report, start=start, **_sizes(settings))


@contextmanager
def searching(title: str = "searching") -> Iterator[Callable[[SearchProgress], None]]:
    """A progress bar for a search; yields the function to call with its progress."""
    with progress(title) as advance:
        yield lambda p: advance(p.evaluations, p.budget, f"subnets scored, {p.front} on the front")
