"""``--evaluate``: searches that measure every accuracy on the supernet's own weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hwnas.arguments import checked_name
from hwnas.errors import DataError
from hwnas.executor import HERE, Executor, Where
from hwnas.files import beside
from hwnas.metric import Metric, registered
from hwnas.progress import notice, resumable
from hwnas.study._data import as_told, evaluation_data, refuse_unready, warn_broken, warn_untrained
from hwnas.study._facts import sensitivity_facts
from hwnas.study._measuring_predictor import MeasuringPredictor
from hwnas.study._objectives import Objectives, check_names
from hwnas.study._racing import RacedAccuracy, can_race
from hwnas.study._request import Request
from hwnas.study._slow_metric import SlowMetric
from hwnas.study._space import open_space, plain_name
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.io import Journal
    from hwnas.space import SearchSpace
    from hwnas.supernet import Engine, MeasuredAccuracy, Supernet
    from hwnas.task import Task

OF_FOLDERS = ("images", "calibrate", "batch_size")
"""Attributes of an evaluation that only apply to a folder of data."""

E = TypeVar("E", bound="MeasuredAccuracy | RacedAccuracy")


@dataclass(frozen=True)
class Evaluation(SlowMetric):
    """How to evaluate subnets of a supernet.

    Attributes:
        supernet: a reference.
        evals: subnets to evaluate in a search.
        checkpoint, data, images, calibrate, batch_size: see ``hwnas evaluate``.
        seed: seed of the draw of images.
        engine: name of the engine that runs subnets; None for the one that suits this machine.
        columns: names of the columns ``text``, ``pair`` and ``label`` in tables of texts, if they differ from those in training.
        metric: classification score to measure; None for the supernet's own.
        where: processes or a cluster that evaluate; results do not depend on it.
        skip_failed: go on without subnets whose evaluation always fails, instead of stopping.
        racing: tolerance of the race in a search, see :class:`hwnas.search.Race`; None shows every sample to every subnet.
    """

    how = "evaluated"
    said = "evaluation"

    supernet: str
    evals: int = 150
    checkpoint: Path | None = None
    data: Path | None = None
    images: int = 5000
    calibrate: int = 2000
    batch_size: int = 100
    seed: int = 0
    engine: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    where: Where = HERE
    skip_failed: bool = False
    racing: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "supernet", checked_name("supernet", self.supernet, "own.safetensors"))
        for name, example in (("checkpoint", "own.safetensors"), ("data", "photos")):
            if (path := getattr(self, name)) is not None:  # often a text
                object.__setattr__(self, name, Path(checked_name(name, path, example)))
        where: Any = self.where
        if not isinstance(where, Where):
            raise DataError(f"where {where!r}", "it is a hwnas.Where", f"write Where({where!r})")

    @cached_property
    def net(self) -> Supernet:
        """The supernet, opened at first use.

        Raises:
            UnknownNameError, SupernetError: there is no such supernet, its weights do not fit, or its head is new.
            DataError: there is nothing to measure on.
        """
        from hwnas.supernet import load_supernet

        net = as_told(load_supernet(self.supernet, self.checkpoint), self.columns, self.metric)
        refuse_unready(self.supernet, net, self.data)  # before a table is profiled
        return net

    @cached_property
    def own_samples(self) -> tuple[Task, dict[str, Any]]:
        """``samples`` of the supernet itself, opened at first use."""
        data, identity = self.samples(self.net)
        trains = getattr(data, "has_training", False)
        warn_untrained(self.supernet, self.checkpoint, self.data if trains else None)
        return data, identity

    def samples(self, net: Supernet) -> tuple[Task, dict[str, Any]]:
        """Data to calibrate and measure ``net`` with, and the facts that identify them in a journal.

        Raises:
            DataError: there are no data, or they do not fit.
        """
        from hwnas.task import Sampling

        if self.data is None:
            self._tell_unused()
        sampling = Sampling(self.images, self.calibrate, self.batch_size, self.seed)
        return evaluation_data(self.supernet, net, self.data, sampling)

    def _tell_unused(self) -> None:
        """Notify the user of options that have no effect on data that the supernet brings."""
        idle = [
            f"--{name.replace('_', '-')}" for name in OF_FOLDERS if getattr(self, name) != getattr(Evaluation, name)
        ]
        if idle:
            effect = f"{'has' if len(idle) == 1 else 'have'} an effect only with --data"
            notice(f"{self.supernet} brings its own data, and is evaluated on all of them: {', '.join(idle)} {effect}")

    def measures(self) -> Metric:
        """The metric that evaluations measure.

        Raises:
            UnknownNameError: there is no such supernet.
        """
        from hwnas.supernet import measured_by

        return (self.metric and registered(self.metric)) or measured_by(self.supernet, self.checkpoint)

    def towards(self, objectives: Objectives | None) -> Evaluation:
        """The evaluation by the one classification score among the objectives, if that is not the supernet's own."""
        from hwnas.task import SCORES

        own = self.measures().name
        named = [column for column in objectives.columns if column in SCORES] if objectives is not None else []
        return replace(self, metric=named[0]) if len(named) == 1 and own in SCORES and named != [own] else self

    def space_and_column(self) -> tuple[SearchSpace, str]:
        """The space, and the column that evaluations measure.

        Raises:
            HwnasError: supernet or data do not fit; they are opened before a table is profiled.
        """
        space, _ = self.space(), self.own_samples
        return space, self.measures().column

    def space(self) -> SearchSpace:
        """The space of the supernet's weights, with their number of classes, and with precisions if its name has them."""
        from hwnas.graph import mixed_space
        from hwnas.supernet import reference_kind

        kind = reference_kind(self.supernet)
        if not kind.precisions:
            return self.net.space.opened_by(self._reference)
        return kind.part(mixed_space(self.net.space, "+".join(kind.precisions))).opened_by(self.supernet)

    @property
    def _reference(self) -> str:
        """The reference that opens the space of the weights, whose number of classes may differ from the supernet's."""
        from hwnas.space import classes_named

        _, classes = classes_named(self.net.space.name)
        if classes is None or open_space(self.supernet).name == self.net.space.name:
            return self.supernet
        return f"{self.supernet}-c{classes}"

    def refuse_mixed(self, request: Request) -> None:
        """Refuse a request that does not go with evaluations.

        Raises:
            DataError: an option has no meaning, or the measured metric is not an objective.
            UnknownNameError: there is no such engine, or no such objective.
        """
        from hwnas.supernet import get_engine

        get_engine(self.engine)
        super().refuse_mixed(request)
        if request.space not in (None, self.supernet):
            asked, own = open_space(request.space).name, self.space().name
            if plain_name(asked) != plain_name(own):
                rule = f"the evaluation is of {self.supernet}, whose space is {own}"
                raise DataError(f"space {asked}", rule, "leave it out, or evaluate a supernet of it")
        objectives = request.objectives
        measured = self.towards(objectives).measures()
        if objectives is not None and measured.column not in objectives.columns:
            check_names("objective", request.unknown, [measured.column], layers=True)
            rule = f"{measured.name} is not among the objectives"
            known = registered(measured.name) is not None
            own = measured.name if known else f"{measured.name}:{measured.direction}"
            raise DataError("evaluation", rule, f"add it: --objectives {','.join([own, *objectives.said])}")

    @contextmanager
    def opened(self, space: SearchSpace, csv: Path) -> Iterator[MeasuringPredictor]:
        """Open the accuracy to search by; see :meth:`measuring`."""
        from hwnas.supernet import get_engine

        data, identity = self.own_samples
        evaluating: AbstractContextManager[MeasuredAccuracy | RacedAccuracy]
        if self.racing is None:
            evaluating = self.measuring(csv, space.precisions)
        else:
            evaluating = self._racing(csv, space.precisions, self.racing)
        with evaluating as evaluator:
            facts = {
                "supernet": self.supernet,
                "weights": f"{self.net.origin} ({self.net.digest})",
                "engine": get_engine(self.engine).name,
                **identity,
                "journal": beside(csv, "journal.jsonl").name,
            }
            if space.precisions:
                facts["sensitivity"] = sensitivity_facts(self._in(space.precisions), space, data)
            yield MeasuringPredictor(evaluator, space, facts, self.measures().column)

    def measuring(self, csv: Path, precisions: tuple[str, ...] = ()) -> AbstractContextManager[MeasuredAccuracy]:
        """Open an evaluator, with a journal beside ``csv``.

        Args:
            csv: the file that will be written.
            precisions: precisions that layers choose from, if they have their own.

        Raises:
            DataError: data or cluster do not fit.
        """
        from hwnas.supernet import MeasuredAccuracy

        net, (data, identity) = self._in(precisions), self.own_samples
        made = partial(MeasuredAccuracy, net, data, skip_failed=self.skip_failed)
        return self._kept(csv, net, identity, precisions, made, "none is evaluated again")

    def _racing(
        self, csv: Path, precisions: tuple[str, ...], tolerance: float
    ) -> AbstractContextManager[RacedAccuracy]:
        """Like :meth:`measuring`, for a search in which subnets race.

        Raises:
            DataError: subnets cannot race on these data.
        """
        from hwnas.supernet import MeasuredAnswers

        net, (data, identity) = self._in(precisions), self.own_samples
        able = can_race(data)

        def made(journal: Journal, engine: Engine, executor: Executor | None) -> RacedAccuracy:
            answers = MeasuredAnswers(net, able, journal, engine, executor, skip_failed=self.skip_failed)
            return RacedAccuracy(answers, able, tolerance)

        raced = {**identity, "racing": tolerance, "racing_by": "margins, expected"}
        return self._kept(csv, net, raced, precisions, made, "none is shown a sample twice, and some are shown more")

    def _in(self, precisions: tuple[str, ...]) -> Supernet:
        """The supernet, in the space with these precisions if there are any."""
        return self.net.in_precision("+".join(precisions)) if precisions else self.net

    @contextmanager
    def _kept(
        self,
        csv: Path,
        net: Supernet,
        identity: Mapping[str, Any],
        precisions: tuple[str, ...],
        made: Callable[[Journal, Engine, Executor | None], E],
        spared: str,
    ) -> Iterator[E]:
        """The evaluator that ``made`` returns, while its journal and its workers are open.

        Args:
            csv: the file that will be written.
            net: the supernet.
            identity: facts that accuracies depend on.
            precisions: see :meth:`measuring`.
            made: makes the evaluator.
            spared: what the journal saves, for the notice.
        """
        from hwnas.io import Journal
        from hwnas.study._workers import Evaluating
        from hwnas.supernet import accuracy_journal_identity, get_engine

        engine, path = get_engine(self.engine), beside(csv, "journal.jsonl")
        with ExitStack() as until_done:
            opener = Evaluating.of(self, precisions) if self.where.elsewhere else None
            executor = until_done.enter_context(self.where.open(opener)) if opener is not None else None
            journal = until_done.enter_context(Journal(path, accuracy_journal_identity(net, identity, engine)))
            evaluator = made(journal, engine, executor)
            if evaluator.n_known:
                notice(f"{path} holds {count_of(evaluator.n_known, 'evaluated subnet')}; {spared}")
            with resumable(lambda: f"{path} keeps {count_of(evaluator.n_known, 'evaluated subnet')}"):
                yield evaluator
                warn_broken(self.own_samples[0])
