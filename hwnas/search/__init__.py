"""Searchers: from objectives and budgets to a Pareto front. Metrics are plain callables here."""

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
from hwnas.search.exact._exact import exact_front
from hwnas.search.expensive._journaled import Journaled, journal_identity
from hwnas.search.expensive._linas import Fit, LinasOptions, Surrogate, linas
from hwnas.search.expensive._prior import with_prior
from hwnas.search.problem._lookup import Lookup
from hwnas.search.problem._pareto import hypervolume, non_dominated
from hwnas.search.problem._problem import Constraint, Metric, Objective, Problem
from hwnas.search.problem._result import Progress, SearchOptions, SearchResult

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
