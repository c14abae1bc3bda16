"""Searchers: from objectives and budgets to a Pareto front. Metrics are plain callables here."""

from hwnas.search._exact import exact_front
from hwnas.search._pareto import hypervolume, non_dominated
from hwnas.search._problem import Constraint, Metric, Objective, Problem
from hwnas.search._result import Progress, SearchOptions, SearchResult
from hwnas.search._run import SEARCHERS, run_search

__all__ = [
    "SEARCHERS",
    "Constraint",
    "Metric",
    "Objective",
    "Problem",
    "Progress",
    "SearchOptions",
    "SearchResult",
    "exact_front",
    "hypervolume",
    "non_dominated",
    "run_search",
]
