"""hwnas as a library: a study of a space or supernet, and the front that it finds."""

from hwnas.study._budgets import Budgets, parse_timed
from hwnas.study._devices import USUAL
from hwnas.study._evaluation import Evaluation
from hwnas.study._front import Front
from hwnas.study._objectives import Objectives, parse_objectives
from hwnas.study._plot import Plot
from hwnas.study._provenance import Provenance, SpaceFacts
from hwnas.study._request import Request
from hwnas.study._run_conditions import RunConditions
from hwnas.study._search_settings import SearchSettings
from hwnas.study._shrink import ShrunkSpace, shrink, shrink_to
from hwnas.study._space import DEFAULT_SPACE
from hwnas.study._study import Study

__all__ = [
    "DEFAULT_SPACE",
    "USUAL",
    "Budgets",
    "Evaluation",
    "Front",
    "Objectives",
    "Plot",
    "Provenance",
    "Request",
    "RunConditions",
    "SearchSettings",
    "ShrunkSpace",
    "SpaceFacts",
    "Study",
    "parse_objectives",
    "parse_timed",
    "shrink",
    "shrink_to",
]
