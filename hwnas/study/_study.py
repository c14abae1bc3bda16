"""A study: a space or supernet, objectives, budgets and a device. A search of it returns a Front."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from hwnas.arguments import check_whole, checked_name, parts_of
from hwnas.errors import DataError
from hwnas.metric import Budget, Metric
from hwnas.study._budgets import Bound, Budgets, budgets_of
from hwnas.study._devices import USUAL
from hwnas.study._evaluation import Evaluation
from hwnas.study._front import Front
from hwnas.study._objectives import Objectives
from hwnas.study._prepare import prepare
from hwnas.study._request import Request
from hwnas.study._run_conditions import RunConditions
from hwnas.study._scoring import scoring_of
from hwnas.study._search import search
from hwnas.study._search_settings import SearchSettings
from hwnas.study._setup import Setup
from hwnas.study._slow_metric import SlowMetric
from hwnas.study._space import DEFAULT_SPACE
from hwnas.study._unfinished import Unfinished

if TYPE_CHECKING:
    from hwnas.search import Problem
    from hwnas.space import Population, SearchSpace
    from hwnas.study._ask_tell import Loop


class Study:
    """A search problem that is set up once and can be searched many times.

    Files are read, tables found and budgets checked at first use. A single value may replace a list of one, and objectives
    may be one text, as on the command line: ``"top1,latency"``.

    Errors name values as arguments of this class (``population 8``), but remedies as options of the command line:
    ``drop --seed-archs`` means the argument ``seed_archs``.

    Args:
        space: a reference (``"ofa_mbv3_w1.0"``, ``"file.py:Class"``), a SearchSpace, or a Supernet; None for the default.
        objectives: up to four metrics, by name or column: ``["top1", "latency"]``, ``["f1_macro:max", "energy_mj:min"]``.
            By default accuracy, and latency on every named device.
        budgets: ``{"latency": "6ms", "top1": 75}`` or ``["latency<=6ms", "latency@phone<=20ms", "top1>=75"]``.
        device: the device of ``latency``: ``"cpu"``, ``"cuda:0"``, or a latency table by name or path.
        predictor: file of an accuracy predictor; None for the one that ships.
        evaluation: measures accuracy on a supernet's weights instead of predicting it.
        fix: choices to keep, by gene: ``{"r": [192, 224]}``.
        library: a CSV that is the space.
        tables: CSVs with metrics of every subnet.
        costs: CSVs with metrics of every layer.
        threads, batch, precision: conditions of the device.
        as_is: use a latency table of this machine without checking or adapting it.

    Example:
        >>> study = Study("ofa_mbv3_w1.0", objectives=["top1", "macs"], budgets={"macs": "300M"})
        >>> front = study.search(seed=0)
    """

    def __init__(
        self,
        space: str | SearchSpace | Any | None = None,
        objectives: Sequence[str | Metric] | Metric | None = None,
        budgets: Mapping[str, Bound] | Sequence[str | Budget] | Budget = (),
        device: str | Path | None = None,
        *,
        predictor: str | Path | None = None,
        evaluation: Evaluation | None = None,
        fix: Mapping[str, Any] | None = None,
        library: str | Path | None = None,
        tables: Sequence[str | Path] | str | Path = (),
        costs: Sequence[str | Path] | str | Path = (),
        threads: int | None = None,
        batch: int | None = None,
        precision: str | Sequence[str] | None = None,
        as_is: bool = False,
    ) -> None:
        self._slow: SlowMetric | None = _evaluation_of(evaluation)
        self.request = Request(
            space=_space_of(space),
            objectives=Objectives.of(_names(objectives)) if objectives is not None else None,
            budgets=budgets_of(budgets if isinstance(budgets, Mapping) else _several(budgets))
            if budgets
            else Budgets(),
            device=checked_name("device", device, USUAL) if device is not None else None,
            predictor=checked_name("predictor", predictor, "top1.safetensors") if predictor is not None else None,
            fix=_fixes(fix or {}),
            library=Path(checked_name("library", library, "lib.csv")) if library is not None else None,
            tables=[Path(checked_name("table", path, "table.csv")) for path in _several(tables)],
            costs=[Path(checked_name("costs", path, "costs.csv")) for path in _several(costs)],
            conditions=RunConditions(
                threads, batch, ",".join(map(str, _several(precision))) if precision is not None else None
            ),
            as_is=as_is,
        )

    def __repr__(self) -> str:
        """``Study(digits; macs, params; macs <= 300k MACs)``, for prompts and logs."""
        given, budgets = self.request, self.request.budgets
        space = self._slow.supernet if isinstance(self._slow, Evaluation) else given.space or DEFAULT_SPACE
        objectives = [", ".join(given.objectives.said)] if given.objectives is not None else []
        bounds = [*budgets.timed.values(), *budgets.others.values()]
        return f"Study({'; '.join(map(str, [getattr(space, 'name', space), *objectives, *bounds]))})"

    @classmethod
    def of(cls, request: Request, asked: SlowMetric | None = None) -> Study:
        """The study of a request, with evaluations or scores in place of predictions."""
        study = cls()
        study.request, study._slow = request, asked
        return study

    @cached_property
    def setup(self) -> Setup:
        """The problem, and the sources of its metrics, looked up at first use.

        Raises:
            HwnasError: something does not fit.
        """
        if self.asked is None:
            return prepare(self.request)
        named = self.request.space
        if named is None and isinstance(self.asked, Evaluation):
            named = self.asked.supernet
        return prepare(replace(self.request, space=named), *self.asked.space_and_column())

    @cached_property
    def asked(self) -> SlowMetric | None:
        """How a search evaluates every subnet: on weights, or by a score of the untrained network; None if it predicts.

        Raises:
            HwnasError: evaluations or scores do not go with the request.
        """
        slow = self._slow if self._slow is not None else scoring_of(self.request)
        if slow is not None:
            slow.refuse_mixed(self.request)
        return slow.towards(self.request.objectives) if isinstance(slow, Evaluation) else slow

    @cached_property
    def _loop(self) -> Loop:
        """The loop of :meth:`ask` and :meth:`tell`, which needs no predictor."""
        from hwnas.study._ask_tell import Loop

        return Loop(self.request)

    @property
    def is_timed_here(self) -> bool:
        """Whether latency comes from a table of this machine."""
        from hwnas.latency import misfits

        table = self.setup.metrics.table
        return table is not None and misfits(table) == []

    @property
    def space(self) -> SearchSpace:
        """The searched part of the space: the part that predictor and tables cover, or only tables in an ask-and-tell loop."""
        return (self._loop if "_loop" in vars(self) else self).setup.metrics.space

    @property
    def problem(self) -> Problem:
        """Objectives and budgets over the space.

        Raises:
            InfeasibleError: no subnet meets a budget.
        """
        return self.setup.problem()

    def search(
        self,
        *,
        path: str | Path = "pareto.csv",
        searcher: str | None = None,
        population: int | None = None,
        generations: int | None = None,
        seed: int = 0,
        top: int | None = None,
        verify: bool = False,
        seed_archs: str | Path | None = None,
        prior: str | Path | None = None,
        asynchronous: bool = False,
    ) -> Front:
        """Find the Pareto front.

        Args:
            path: where the front will be saved by ``front.save(path)``. Only journals of measurements are written beside it,
                so that a killed search resumes when it is run again.
            searcher, population, generations, seed, top, verify, seed_archs, prior, asynchronous: see SearchSettings.

        Raises:
            InfeasibleError: no subnet meets a budget.
            NotHeldError: no measured subnet holds the budget, with ``verify``.
        """
        settings = SearchSettings(
            searcher=searcher,
            population=population,
            generations=generations,
            seed=seed,
            top=top,
            verify=verify,
            seed_archs=Path(checked_name("seed_archs", seed_archs, "pareto.csv")) if seed_archs is not None else None,
            prior=checked_name("prior", prior, "other.csv") if prior is not None else None,
            asynchronous=asynchronous,
        )
        return self.searched(settings, checked_name("path", path, "pareto.csv"))

    def searched(self, settings: SearchSettings, path: str | Path = "pareto.csv") -> Front:
        """Find the Pareto front by ``settings``; see :meth:`search`."""
        settings.check(self.asked)  # before a table is made
        if (settings.verify or self.asked is not None) and (kept := Unfinished(Path(path)).kept):
            self.request = replace(self.request, kept=kept)
            vars(self).pop("setup", None)  # it may have other tables
        return search(self.setup, settings, self.asked, Path(path))

    def ask(
        self, n: int = 1, *, searcher: str | None = None, seed: int | None = None, evaluations: int | None = None
    ) -> Population:
        """Subnets to evaluate in a loop of your own: ``(<= n, g)`` rows; ``study.space.decode(x)`` gives archs.

        Evaluate them however you like, then :meth:`tell` their values. No rows mean that the search is done.

        Args:
            n: most rows to return.
            searcher: the searcher of the loop, which begins with the first call.
            seed: seed of its random numbers; 0 by default.
            evaluations: rows that may be asked for in total; 10,000 by default.

        Raises:
            DataError: ``n`` is out of range, or the loop has begun with other options.
        """
        check_whole("ask: n", n, 0)
        options = {"searcher": searcher, "seed": seed, "evaluations": evaluations}
        return self._loop.searcher(**{name: value for name, value in options.items() if value is not None}).ask(n)

    def tell(self, x: NDArray[Any], values: Mapping[str, Any] | float | Sequence[float]) -> None:
        """Tell the values of evaluated subnets.

        Args:
            x: a row, or ``(n, g)`` rows, also ones that were not asked for.
            values: values by name of the metric, or just accuracies. Metrics from tables and layers may be left out.

        Raises:
            DataError: a value is not a number, or outside the range of its metric, such as a top1 above 100 %.
            SpaceError: there is not one value per row, or a row is outside the space.
        """
        self._loop.tell(x, values)

    def front(self) -> Front:
        """The front of all subnets told so far.

        Raises:
            InfeasibleError: no subnet told meets all budgets.
        """
        return self._loop.front()


def _space_of(given: Any) -> Any:
    """A reference or a space as it is; the space of a Supernet, or of a class of supernets."""
    from hwnas.space import SearchSpace

    if given is None or isinstance(given, str | SearchSpace):
        return given
    if isinstance(given, Path):
        return str(given)
    make = getattr(given, "search_space", None)
    if not callable(make):
        rule = "it is a reference, a SearchSpace or a Supernet"
        raise DataError(f"space {given!r}", rule, 'write for example "digits"')
    return make() if isinstance(given, type) else given.space


def _evaluation_of(given: Any) -> Evaluation | None:
    if given is None or isinstance(given, Evaluation):
        return given
    raise DataError(f"evaluation {given!r}", "it is a hwnas.Evaluation", f"write hwnas.Evaluation({given!r})")


def _names(objectives: Any) -> Sequence[str | Metric]:
    named = parts_of(objectives, "objectives ") if isinstance(objectives, str) else _several(objectives)
    for name in named:
        if not isinstance(name, str | Metric):
            raise DataError(f"objective {name!r}", "it is a name or a hwnas.Metric", 'write for example "latency"')
    return named


def _several(given: Any) -> Sequence[Any]:
    """A sequence as it is, and anything else in a list; a text is not a sequence of its letters."""
    return given if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def _fixes(fix: Mapping[str, Any]) -> list[str]:
    if not isinstance(fix, Mapping):
        raise DataError(f"fix {fix!r}", "it maps genes to choices to keep", 'write for example {"r": [192, 224]}')
    several = {gene: [v] if isinstance(v, str) or not isinstance(v, Iterable) else v for gene, v in fix.items()}
    return [f"{gene}={','.join(map(str, values))}" for gene, values in several.items()]
