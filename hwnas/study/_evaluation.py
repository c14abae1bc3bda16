"""``--evaluate``: searches in which every accuracy is measured on the supernet's own weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hwnas.errors import DataError
from hwnas.executor import HERE, Executor, Where
from hwnas.metric import Metric, registered
from hwnas.progress import notice, resumable
from hwnas.quantity import checked_name, count_of
from hwnas.study._asked import idle_files, refuse_unused
from hwnas.study._data import as_told, evaluation_data, refuse_unready, say_broken, tell_untrained
from hwnas.study._measuring import MeasuringPredictor
from hwnas.study._objectives import Objectives, check_names
from hwnas.study._racing import RacedAccuracy, can_race
from hwnas.study._request import Request
from hwnas.study._space import open_space

if TYPE_CHECKING:
    from hwnas.io import Journal
    from hwnas.space import SearchSpace
    from hwnas.supernet import Engine, MeasuredAccuracy, Supernet
    from hwnas.task import Task

OF_FOLDERS = ("images", "calibrate", "batch_size")
"""Attributes of an evaluation that say what is taken of a folder."""

E = TypeVar("E", bound="MeasuredAccuracy | RacedAccuracy")


@dataclass(frozen=True)
class Evaluation:
    """What ``--evaluate`` is given.

    Attributes:
        supernet: a reference.
        evals: subnets to evaluate.
        checkpoint, data, images, calibrate, batch_size: as ``hwnas evaluate`` has them.
        seed: of the images drawn.
        engine: what runs subnets, by name; None for the one that suits this machine.
        columns: names of ``text``, ``pair`` and ``label`` in tables of texts where they differ from those that were
            trained on.
        metric: a score of classifiers to measure by; None for the supernet's own.
        where: processes or a cluster that evaluate; what is found does not depend on it.
        skip_failed: go on without subnets whose evaluation always fails, in place of stopping.
        racing: in a search, the share of the front's hypervolume that subnets which were not shown all samples may be
            expected to add; None shows every sample to every subnet.
    """

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
            raise DataError(f"where {where!r}", "it says where subnets are evaluated", f"write Where({where!r})")

    @cached_property
    def net(self) -> Supernet:
        """The supernet, opened when it is first asked for.

        Raises:
            UnknownNameError, SupernetError: there is none, or no fitting weights, or they have learned nothing.
            DataError: there is nothing to measure on.
        """
        from hwnas.supernet import load_supernet

        net = as_told(load_supernet(self.supernet, self.checkpoint), self.columns, self.metric)
        refuse_unready(self.supernet, net, self.data)  # before a table is profiled
        tell_untrained(self.supernet, self.checkpoint, self.data)
        return net

    @cached_property
    def own_samples(self) -> tuple[Task, dict[str, Any]]:
        """The `samples` of the supernet itself, opened when they are first asked for."""
        return self.samples(self.net)

    def samples(self, net: Supernet) -> tuple[Task, dict[str, Any]]:
        """What ``net`` is calibrated and measured with, and what a journal says of it.

        Raises:
            DataError: there is none, or it does not fit.
        """
        if self.data is None:
            self._tell_unused()
        return evaluation_data(
            self.supernet,
            net,
            self.data,
            images=self.images,
            calibrate=self.calibrate,
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def _tell_unused(self) -> None:
        """Say which options mean nothing for data that the supernet brings."""
        idle = [
            f"--{name.replace('_', '-')}" for name in OF_FOLDERS if getattr(self, name) != getattr(Evaluation, name)
        ]
        if idle:
            told = f"{self.supernet} brings its own data, and is evaluated on all of them"
            notice(f"{told}: {', '.join(idle)} {'counts' if len(idle) == 1 else 'count'} with --data alone")

    def measures(self) -> Metric:
        """The metric that evaluations measure.

        Raises:
            UnknownNameError: there is no such supernet.
        """
        from hwnas.supernet import measured_by

        return (self.metric and registered(self.metric)) or measured_by(self.supernet, self.checkpoint)

    def towards(self, objectives: Objectives | None) -> Evaluation:
        """The same, by the score of classifiers that is among the objectives, if the supernet's own is not."""
        from hwnas.task import SCORES

        own = self.measures().name
        named = [column for column in objectives.columns if column in SCORES] if objectives is not None else []
        return replace(self, metric=named[0]) if len(named) == 1 and own in SCORES and named != [own] else self

    def told(self) -> tuple[SearchSpace, str]:
        """The space, and the column that evaluations tell.

        Raises:
            HwnasError: supernet or data do not fit; a table is profiled only afterwards.
        """
        space, _ = self.space(), self.own_samples
        return space, self.measures().column

    def space(self) -> SearchSpace:
        """The supernet's space, with the number of classes of its weights; of layers with precisions, if its name says so."""
        from hwnas.graph import mixed_space
        from hwnas.supernet import reference_kind

        kind = reference_kind(self.supernet)
        if not kind.precisions:
            return self.net.space.opened_by(self._reference)
        return kind.part(mixed_space(self.net.space, "+".join(kind.precisions))).opened_by(self.supernet)

    @property
    def _reference(self) -> str:
        """What opens the space of the weights, which may have another number of classes than the supernet."""
        from hwnas.space import classes_named

        _, classes = classes_named(self.net.space.name)
        if classes is None or open_space(self.supernet).name == self.net.space.name:
            return self.supernet
        return f"{self.supernet}-c{classes}"

    def refuse_unused(self, used: Mapping[str, object]) -> None:
        """Refuse options that mean nothing where accuracy is evaluated.

        Raises:
            DataError: names the first.
        """
        refuse_unused("evaluation", "evaluated", self.evals, used)

    def refuse_mixed(self, request: Request) -> None:
        """Refuse what a request asks for and evaluations do not tell.

        Raises:
            DataError: names the first.
            UnknownNameError: there is no such engine.
        """
        from hwnas.supernet import get_engine

        get_engine(self.engine)
        self.refuse_unused(idle_files(request))
        objectives = request.objectives
        measured = self.towards(objectives).measures()
        if objectives is not None and measured.column not in objectives.columns:
            check_names("objective", request.unknown, [measured.column], layers=True)
            rule = f"{measured.name} is not among the objectives"
            known = registered(measured.name) is not None
            told = measured.name if known else f"{measured.name}:{measured.direction}"
            raise DataError("evaluation", rule, f"add it: --objectives {','.join([told, *objectives.said])}")

    @contextmanager
    def measuring(
        self, csv: Path, precisions: tuple[str, ...] = ()
    ) -> Iterator[tuple[MeasuredAccuracy, dict[str, Any]]]:
        """What evaluates subnets, and what its accuracies depend on; they are kept in a journal beside ``csv``.

        Args:
            csv: what will be written.
            precisions: those that layers have to choose from, if they have any of their own.

        Raises:
            DataError: data or cluster that do not fit.
        """
        from hwnas.supernet import MeasuredAccuracy

        net, (data, identity) = self._in(precisions), self.own_samples

        def made(journal: Journal, engine: Engine, executor: Executor | None) -> MeasuredAccuracy:
            return MeasuredAccuracy(net, data, journal, engine, executor, skip_failed=self.skip_failed)

        with self._kept(csv, net, identity, precisions, made) as evaluator:
            yield evaluator, identity
            say_broken(data)

    def _in(self, precisions: tuple[str, ...]) -> Supernet:
        """The supernet, in the space whose layers have precisions of their own, if any are given."""
        return self.net.in_precision("+".join(precisions)) if precisions else self.net

    @contextmanager
    def _kept(
        self,
        csv: Path,
        net: Supernet,
        identity: Mapping[str, Any],
        precisions: tuple[str, ...],
        made: Callable[[Journal, Engine, Executor | None], E],
        spared: str = "none is evaluated again",
    ) -> Iterator[E]:
        """The evaluator that ``made`` returns, with its journal and its workers open; and how what is known is ``spared``."""
        from hwnas.io import Journal
        from hwnas.study._workers import Evaluating
        from hwnas.supernet import accuracy_journal_identity, get_engine

        engine, path = get_engine(self.engine), csv.with_name(f"{csv.name}.journal.jsonl")
        with ExitStack() as until_done:
            opener = Evaluating.of(self, precisions) if self.where.elsewhere else None
            executor = until_done.enter_context(self.where.open(opener)) if opener is not None else None
            journal = until_done.enter_context(Journal(path, accuracy_journal_identity(net, identity, engine)))
            evaluator = made(journal, engine, executor)
            if evaluator.n_known:
                notice(f"{path} holds {count_of(evaluator.n_known, 'evaluated subnet')}; {spared}")
            with resumable(lambda: f"{path} keeps {count_of(evaluator.n_known, 'evaluated subnet')}"):
                yield evaluator

    @contextmanager
    def _racing(
        self, csv: Path, precisions: tuple[str, ...], tolerance: float
    ) -> Iterator[tuple[RacedAccuracy, dict[str, Any]]]:
        """As :meth:`measuring`, for a search in which subnets race.

        Raises:
            DataError: they cannot on these data.
        """
        from hwnas.supernet import MeasuredAnswers

        net, (data, identity) = self._in(precisions), self.own_samples
        able = can_race(data)

        def made(journal: Journal, engine: Engine, executor: Executor | None) -> RacedAccuracy:
            answers = MeasuredAnswers(net, able, journal, engine, executor, skip_failed=self.skip_failed)
            return RacedAccuracy(answers, able, tolerance)

        spared = "none is shown a sample twice, and some are shown more"
        with self._kept(
            csv, net, {**identity, "racing": tolerance, "racing_by": "margins, expected"}, precisions, made, spared
        ) as evaluator:
            yield evaluator, identity
            say_broken(data)

    @contextmanager
    def opened(self, space: SearchSpace, csv: Path) -> Iterator[MeasuringPredictor]:
        """The accuracy to search by; see :meth:`measuring`."""
        with ExitStack() as until_done:
            own = space.precisions
            evaluator: MeasuredAccuracy | RacedAccuracy
            if self.racing is None:
                evaluator, identity = until_done.enter_context(self.measuring(csv, own))
            else:
                evaluator, identity = until_done.enter_context(self._racing(csv, own, self.racing))
            facts = {
                "supernet": self.supernet,
                "weights": f"{self.net.origin} ({self.net.digest})",
                "engine": evaluator.engine.name,
                **identity,
                "journal": f"{csv.name}.journal.jsonl",
            }
            if space.precisions:
                facts["sensitivity"] = _sensitivity(evaluator, space)
            yield MeasuringPredictor(evaluator, space, facts, self.measures().column)


def _sensitivity(evaluator: MeasuredAccuracy | RacedAccuracy, space: SearchSpace) -> list[dict[str, Any]]:
    """What each layer costs in int8, alone."""
    from hwnas.supernet import sensitivity

    found = sensitivity(evaluator.supernet, space, evaluator.data)
    if found:
        worst = max(found, key=lambda each: each.agreement.logit_error)
        notice(f"of {len(found)} layers {worst.layer} loses most in int8, alone: {worst.agreement}")
    return [
        {
            "layer": each.layer,
            "alike_pct": round(each.agreement.share_pct, 2),
            "logit_error_pct": round(100 * each.agreement.logit_error / (each.agreement.logit_spread or 1.0), 3),
            "images": each.agreement.n_images,
        }
        for each in found
    ]
