"""Searchers: from objectives and budgets to a Pareto front. Metrics are plain callables here.

A searcher is asked for subnets and told their values (``Searcher``); ``run_search`` drives one from end to end.
"""

from hwnas.search._evaluator import Evaluator, SlowMetrics, journal_identity
from hwnas.search._registry import SEARCHERS, new_searcher, searcher_maker, searcher_names, usual_searcher
from hwnas.search._run import drive, drive_freely, run_search
from hwnas.search._shrink import SHARE, shrunk
from hwnas.search._trials import Trial, Yardstick, best_known, best_of, is_computable, run_trial
from hwnas.search.evolve._nsga2 import GENERATIONS, POPULATION
from hwnas.search.exact._exact import exact_front
from hwnas.search.expensive._fit import Errors, gaussian_process
from hwnas.search.expensive._linas import linas
from hwnas.search.expensive._prior import with_prior
from hwnas.search.problem._capabilities import Additive, Bounded, Confining, FirstOrder
from hwnas.search.problem._lookup import Lookup
from hwnas.search.problem._pareto import hypervolume, non_dominated
from hwnas.search.problem._problem import Constraint, MetricFunction, Objective, Problem, check_count
from hwnas.search.problem._result import SearchProgress, SearchResult
from hwnas.search.problem._searcher import Fit, Maker, Searcher, SearchOptions, Surrogate
from hwnas.search.problem._seen import Values
from hwnas.search.problem._stepwise import Steps, Stepwise
from hwnas.search.race._margins import Expected, Margins
from hwnas.search.race._race import TOLERANCE, Entrant, Race

__all__ = [
    "GENERATIONS",
    "POPULATION",
    "SEARCHERS",
    "SHARE",
    "TOLERANCE",
    "Additive",
    "Bounded",
    "Confining",
    "Constraint",
    "Entrant",
    "Errors",
    "Evaluator",
    "Expected",
    "FirstOrder",
    "Fit",
    "Lookup",
    "Maker",
    "Margins",
    "MetricFunction",
    "Objective",
    "Problem",
    "Race",
    "SearchOptions",
    "SearchProgress",
    "SearchResult",
    "Searcher",
    "SlowMetrics",
    "Steps",
    "Stepwise",
    "Surrogate",
    "Trial",
    "Values",
    "Yardstick",
    "best_known",
    "best_of",
    "check_count",
    "drive",
    "drive_freely",
    "exact_front",
    "gaussian_process",
    "hypervolume",
    "is_computable",
    "journal_identity",
    "linas",
    "new_searcher",
    "non_dominated",
    "run_search",
    "run_trial",
    "searcher_maker",
    "searcher_names",
    "shrunk",
    "usual_searcher",
    "with_prior",
]
