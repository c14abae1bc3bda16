"""Searchers: from objectives and budgets to a Pareto front. Metrics are plain callables here."""

from hwnas.search._exact import exact_front
from hwnas.search._journaled import Journaled, journal_identity
from hwnas.search._linas import Fit, LinasOptions, Surrogate, linas
from hwnas.search._lookup import Lookup
from hwnas.search._pareto import hypervolume, non_dominated
from hwnas.search._prior import with_prior
from hwnas.search._problem import Constraint, Metric, Objective, Problem
from hwnas.search._result import Progress, SearchOptions, SearchResult
from hwnas.search._run import GENERATIONS, POPULATION, SEARCHERS, run_search
from hwnas.search._trials import (
    CONTENDERS,
    Contender,
    Spend,
    Trial,
    Yardstick,
    best_known,
    best_of,
    is_computable,
    run_trial,
)

__all__ = [
    "CONTENDERS",
    "GENERATIONS",
    "POPULATION",
    "SEARCHERS",
    "Constraint",
    "Contender",
    "Fit",
    "Journaled",
    "LinasOptions",
    "Lookup",
    "Metric",
    "Objective",
    "Problem",
    "Progress",
    "SearchOptions",
    "SearchResult",
    "Spend",
    "Surrogate",
    "Trial",
    "Yardstick",
    "best_known",
    "best_of",
    "exact_front",
    "hypervolume",
    "is_computable",
    "journal_identity",
    "linas",
    "non_dominated",
    "run_search",
    "run_trial",
    "with_prior",
]
