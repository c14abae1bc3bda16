"""A search from end to end: predicted, verified by measurements, or evaluated on a supernet's weights."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, SpaceError
from hwnas.metric import LATENCY
from hwnas.progress import notice, progress
from hwnas.quantity import check_whole, count_of
from hwnas.study._asked import AskedPredictor
from hwnas.study._evaluation import Evaluation
from hwnas.study._facts import search_facts, space_facts, weights_facts
from hwnas.study._found import Found
from hwnas.study._front import Front
from hwnas.study._library_file import SCORE, scored_on
from hwnas.study._picture import axes_of
from hwnas.study._place import Place, require_here
from hwnas.study._sample import random_sample, values_of
from hwnas.study._scoring import Scoring
from hwnas.study._setup import Setup
from hwnas.study._table import table_facts
from hwnas.study._verify import Verifier
from hwnas.study._verify_library import LibraryVerifier
from hwnas.study._warm_start import warm_start

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.search import Problem, SearchProgress, SearchResult
    from hwnas.space import Population
    from hwnas.study._metrics import Metrics

EXACT = "exact"

WITHOUT_GENERATIONS = (EXACT, "linas")
"""Searchers that do not breed, nor draw as many subnets as those that do."""

EXACTLY = 3
"""Objectives up to which the front of a library is found exactly, if it can be held; of four that takes a minute to find out."""

WAITS_FOR_NONE = ("linas", "random")
"""Searchers that propose more while evaluations are pending."""


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        searcher: its name; None for the usual one.
        population, generations: of an evolution; None for the searcher's own.
        seed: the same seed gives the same result.
        top: only so many rows, the most accurate; None for the whole front.
        verify: measure the front on the main device, correct its table, search again until it holds.
        seed_archs: a CSV of subnets to start from.
        prior: accuracies from elsewhere, a CSV or a predictor, where accuracy is evaluated.
        asynchronous: no worker waits for others; what is found is not the same twice.
    """

    searcher: str | None = None
    population: int | None = None
    generations: int | None = None
    seed: int = 0
    top: int | None = None
    verify: bool = False
    seed_archs: Path | None = None
    prior: str | None = None
    asynchronous: bool = False

    def check(self, asked: Evaluation | Scoring | None) -> None:
        """Refuse what does not go together.

        Raises:
            UnknownNameError: no such searcher. SpaceError: one of a package that does not load.
            DataError: settings without a meaning here.
        """
        from hwnas.search import searcher_maker

        for name, least in (("population", 2), ("generations", 1), ("top", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None or name == "seed":
                check_whole(name, value, least)
        if self.searcher is not None:
            searcher_maker(self.searcher)
        sizes = {"population": self.population, "generations": self.generations}
        if asked is not None:
            asked.refuse_unused({**sizes, "verify": self.verify})
        for name, value in sizes.items():
            if value is not None and self.searcher in WITHOUT_GENERATIONS:
                raise DataError(f"{name} {value}", f"{self.searcher} has no generations", f"drop --{name}")
        if not isinstance(asked, Evaluation) and self.prior is not None:
            other = f"pass --predictor {self.prior}" if self.prior.endswith(".safetensors") else "drop --prior"
            raise DataError(f"prior {self.prior}", "predictions need none", f"{other}, or add --evaluate")
        if self.asynchronous and not (isinstance(asked, Evaluation) and asked.where.elsewhere):
            remedy = f"add {'' if isinstance(asked, Evaluation) else '--evaluate '}--workers N"
            raise DataError("asynchronous", "it is of evaluations by several workers", remedy)
        if self.asynchronous and isinstance(asked, Evaluation) and asked.racing is not None:
            raise DataError("racing with asynchronous", "a race waits for all of a batch", "drop one of the two")
        if self.asynchronous and self.searcher not in (None, *WAITS_FOR_NONE):
            rule = f"{self.searcher} waits for whole batches"
            raise DataError("asynchronous", rule, f"pass --searcher {' or '.join(WAITS_FOR_NONE)}")
        if self.seed_archs is not None and self.searcher == EXACT:
            raise DataError(f"seed archs {self.seed_archs}", "the exact front needs no start", "drop --seed-archs")


@dataclass(frozen=True)
class Unfinished:
    """What a search that measures or evaluates subnets leaves beside the CSV until its front is saved.

    Attributes:
        csv: of the front.
    """

    csv: Path

    @property
    def verified(self) -> Path:
        """The journal of what was measured to verify a front."""
        return self._beside("verify.jsonl")

    @property
    def tables(self) -> Path:
        """The latency tables that it began with. A check may find otherwise later, and by another table other subnets
        would be asked for."""
        return self._beside("tables")

    @property
    def kept(self) -> Path | None:
        """The tables, if something may have been measured or evaluated already."""
        begun = self.verified.exists() or self._beside("journal.jsonl").exists()
        return self.tables if begun and self.tables.is_dir() else None

    def told(self, setup: Setup) -> Setup:
        """A setup as its provenance is read: once the front is saved, what was kept is not there any more."""
        others = {name: self._told(found) for name, found in setup.others.items()}
        return replace(setup, table=setup.table and self._told(setup.table), others=others)

    def _told(self, found: Found[LatencyTable]) -> Found[LatencyTable]:
        kept = found.it.path is not None and found.it.path.is_relative_to(self.tables)
        return Found(found.it, {**found.facts, "path": None}) if kept else found

    def _beside(self, ending: str) -> Path:
        return self.csv.with_name(f"{self.csv.name}.{ending}")


def search(setup: Setup, settings: SearchSettings, asked: Evaluation | Scoring | None, path: Path) -> Front:
    """The front of a problem.

    Args:
        setup: the problem and where its metrics come from.
        settings: how to search.
        asked: measures accuracies, or scores untrained networks; None where accuracies are predicted.
        path: the CSV that the front will go to: journals of what is measured stand beside it, and a killed search
            that is run again goes on from them.

    Raises:
        InfeasibleError: a budget that no subnet meets.
        NotHeldError: no subnet that was measured holds the budget.
    """
    settings.check(asked)
    model = setup.given.library.model if setup.given.library is not None else None
    if settings.verify and model is None and LATENCY.column not in setup.budgets:
        raise DataError("verify", "it checks a latency budget", "pass --latency TIME")
    if settings.verify and model is None and setup.table is None:
        raise DataError("verify", "it times networks, and latency comes from a file here", "drop --verify")
    if settings.verify and model is not None and SCORE not in setup.metrics.given:
        raise DataError("verify", f"the library has no column {SCORE} to check", "build it again")
    unfinished = Unfinished(path)
    slow, begun = settings.verify or asked is not None, unfinished.kept is not None
    metrics = setup.metrics
    evaluated = asked.measures().column if asked is not None else None
    warm = warm_start(metrics.space, settings.seed_archs, settings.prior, evaluated=evaluated)
    place = None
    if settings.verify and setup.table is not None:
        place = Place(require_here(setup.table.it, setup.device), setup.table.it.precision, setup.table.it)
    started = time.perf_counter()
    with ExitStack() as open_until_done:
        measured: AskedPredictor | None = None
        if asked is not None:
            measured = open_until_done.enter_context(asked.opened(metrics.space, path))
            metrics = replace(metrics, predictor=measured, tells=measured.column)
        problem = replace(setup, metrics=metrics).problem()
        if slow:  # and nothing is refused any more
            kept = setup if begun else setup.keeping(unfinished.tables)
            setup = unfinished.told(setup)
            metrics = replace(kept.metrics, predictor=metrics.predictor, tells=metrics.tells)
            problem = replace(setup, metrics=metrics).problem()
            place = place and replace(place, table=metrics.table)
        notes = [*setup.notes, *(_told_of_verifying(place, setup) if place is not None else ())]
        for note in [*notes, f"searching {count_of(metrics.space.size(), 'subnet')} of {metrics.space.name}"]:
            notice(note)
        verifier: Verifier | LibraryVerifier | None = None
        if measured is not None and asked is not None:
            used: dict[str, Any] = {"evaluations": asked.evals}
            if settings.asynchronous:
                used["asynchronous"] = True
            result = measured.search(
                problem, settings.searcher, asked.evals, settings.seed, warm, asynchronous=settings.asynchronous
            )
        else:
            used = _sizes(settings)

            def run(problem: Problem) -> SearchResult:
                whole = setup.given.library is not None and warm.rows is None and len(problem.objectives) <= EXACTLY
                if whole and _names_no_searcher(settings):
                    try:
                        return _run(problem, replace(settings, searcher=EXACT), {}, None)
                    except SpaceError:
                        notice("its whole front is too large to be held: a part of it is searched for")
                return _run(problem, settings, used, warm.rows)

            if place is not None:
                verifier = Verifier(metrics, place, unfinished.verified, setup.wanted, setup.budgets, settings.seed)
                result, metrics = verifier.run(run)
                setup = _with_adapted(setup, metrics)
            elif settings.verify and setup.given.library is not None:
                text = scored_on(setup.given.library)
                verifier = LibraryVerifier(metrics, text, unfinished.verified, setup.wanted, setup.budgets)
                result, metrics = verifier.run(run)
            else:
                result = run(problem)
        wall_s = time.perf_counter() - started
        beside = measured.beside(result.x) if measured is not None else {}
        frame = metrics.frame(result, {**metrics.score(result.x), **beside})
        frame = frame if settings.top is None else frame.head(settings.top)
        if verifier is not None:
            frame = verifier.add_measured(frame)
        if measured is not None:
            frame.insert(len(frame.columns) - 1, f"{measured.column}_source", measured.source)
        axes = axes_of(list(frame.columns), [metric.column for metric in setup.wanted])
        facts = {
            **search_facts(result, setup.budgets, used if result.searcher != EXACT else {}),
            "space": space_facts(metrics.space, setup.reference),
            "weights": weights_facts(asked.supernet, asked.checkpoint)
            if isinstance(asked, Evaluation)
            else weights_facts(setup.reference, None)
            if setup.reference is not None
            else None,
            **setup.facts,
            **warm.facts,
            **({measured.key: measured.facts} if measured else {}),
            "verified": verifier.facts() if verifier else None,
            "wall_s": round(wall_s, 3),
            "rows": len(frame),
            "random_sample": values_of(metrics, measured.rows, axes)
            if measured
            else random_sample(metrics, axes, setup.budgets, settings.seed),
        }
    journals = (unfinished.tables, *((unfinished.verified,) if settings.verify else ())) if slow else ()
    return Front.of(frame, facts, metrics.space, journals)


def _with_adapted(setup: Setup, metrics: Metrics) -> Setup:
    """The setup with the table that a verified front was found by; what is known of the one before goes with it."""
    assert metrics.table is not None
    assert setup.table is not None
    facts = {**table_facts(metrics.table, metrics.space), "prior": setup.table.facts}
    return replace(setup, table=Found(metrics.table, {**facts, "trust": setup.table.facts.get("trust")}))


def _told_of_verifying(place: Place, setup: Setup) -> tuple[str, ...]:
    """Only the main device is at hand for sure; tables of others are mostly of other machines."""
    if not setup.others:
        return ()
    return (f"--verify measures on {place.label}; latency on {', '.join(setup.others)} stays as predicted",)


def _names_no_searcher(settings: SearchSettings) -> bool:
    """Nor the size of an evolution."""
    return settings.searcher is None and settings.population is None and settings.generations is None


def _sizes(settings: SearchSettings) -> dict[str, Any]:
    from hwnas.search import GENERATIONS, POPULATION

    if settings.searcher in WITHOUT_GENERATIONS:
        return {}
    return {
        "population": settings.population or POPULATION,
        "generations": settings.generations or GENERATIONS,
    }


def _run(problem: Problem, settings: SearchSettings, sizes: dict[str, Any], start: Population | None) -> SearchResult:
    from hwnas.search import run_search

    with progress("searching") as advance:

        def report(p: SearchProgress) -> None:
            advance(p.evaluations, p.budget, f"subnets scored, {p.front} on the front")

        name, seed = settings.searcher, settings.seed
        return run_search(problem, name, seed=seed, progress=report, start=start, **sizes)
