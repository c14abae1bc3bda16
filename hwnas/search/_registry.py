"""The registry of searchers."""

from __future__ import annotations

from functools import partial
from importlib.metadata import entry_points
from typing import cast

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.plugin import load_entry
from hwnas.search._plugged_in import PluggedIn
from hwnas.search.evolve._best import along_a_budget
from hwnas.search.evolve._evolution import evolution
from hwnas.search.evolve._nsga2 import nsga2, unsga3
from hwnas.search.evolve._random import random_search
from hwnas.search.exact._additive import exact
from hwnas.search.expensive._linas import linas
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._searcher import Maker, Searcher, SearchOptions

SEARCHERS: dict[str, Maker] = {
    "nsga2": along_a_budget(nsga2),
    "unsga3": along_a_budget(unsga3),
    "exact": exact,
    "linas": linas,
    "evolution": evolution,
    "random": random_search,
}
"""The searchers that ship, by name. Plug-ins register at the entry point ``hwnas.searchers``: see ``new_searcher``."""

ENTRY_POINT = "hwnas.searchers"


def searcher_names() -> list[str]:
    """Names of all searchers, plug-ins last."""
    return list(dict.fromkeys([*SEARCHERS, *sorted(entry_points(group=ENTRY_POINT).names)]))


def usual_searcher(problem: Problem) -> str:
    """The default searcher: it depends on slow metrics and the number of objectives."""
    if problem.slow:
        return "linas"
    return "nsga2" if len(problem.objectives) <= 2 else "unsga3"


def new_searcher(name: str, problem: Problem, options: SearchOptions) -> Searcher:
    """Begin a search.

    Args:
        name: a key of ``SEARCHERS``, or an entry point ``hwnas.searchers`` that loads to a ``Maker``.
        problem: what is searched for.
        options: how long and from where.

    Raises:
        UnknownNameError: there is no such searcher.
        InfeasibleError: no subnet meets a budget, by a known bound; the search does not begin.
        SpaceError: an option is out of range, a start row is outside the space, or a plug-in does not load.
    """
    for what, value, least in (
        ("evaluations", options.evaluations, 1),
        ("population", options.population, 2),
        ("generations", options.generations, 1),
    ):
        if value is not None and value < least:
            raise SpaceError(f"{what} {value}", f"at least {least} is needed", "raise it")
    if options.start is not None:
        outside = ~problem.space.contains(problem.space.checked(options.start))
        if outside.any():
            rule = f"it is outside {problem.space.name}"
            raise SpaceError(f"start row {int(outside.argmax())}", rule, "leave it out")
    problem.refuse_infeasible()
    return searcher_maker(name)(problem, options)


def searcher_maker(name: str) -> Maker:
    """The function that begins searches of that name; see ``new_searcher``.

    Raises:
        UnknownNameError: there is no such searcher.
        SpaceError: a plug-in does not load, or is no function.
    """
    if name in SEARCHERS:
        return SEARCHERS[name]
    found = load_entry(ENTRY_POINT, name, "searcher", SpaceError)
    if found is None:
        raise UnknownNameError("searcher", name, searcher_names())
    if not callable(found):
        rule = f"it is {type(found).__name__}, no function of a Problem and SearchOptions"
        raise SpaceError(f"searcher {name!r}", rule, "correct the plug-in")
    return partial(PluggedIn, name, cast("Maker", found))
