"""Groups of options that commands share: a command takes a dataclass of options as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from hwnas.cli._options import (
    AsIs,
    BatchSize,
    Bounds,
    Calibrate,
    Checkpoint,
    Cluster,
    DataFolder,
    EngineName,
    Evaluate,
    EvaluatedSupernet,
    Fix,
    Images,
    LabelColumn,
    Latency,
    LayerCosts,
    Library,
    Macs,
    MainDevice,
    Memory,
    ObjectivesList,
    PairColumn,
    Params,
    PredictorName,
    SearchedSpace,
    SubnetTables,
    TableBatch,
    TablePrecision,
    TableThreads,
    TextColumn,
    Throughput,
    Workers,
)
from hwnas.errors import DataError
from hwnas.executor import Where
from hwnas.metric import LATENCY, THROUGHPUT, Budget, get_metric, parse_budget
from hwnas.study import DEFAULT_SPACE, Budgets, Evaluation, Request, RunConditions, parse_objectives, parse_timed


def shares_options(command: Callable[..., None]) -> Callable[..., None]:
    """``command``, with one option per field in place of each parameter that is a dataclass of options."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    groups = {name: hints[name] for name in signature.parameters if is_dataclass(hints[name])}
    spelled: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if name not in groups:
            spelled.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        types = get_type_hints(groups[name], include_extras=True)
        for field in fields(groups[name]):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            spelled.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name]
                )
            )

    @wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    run.__signature__ = signature.replace(parameters=spelled)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in spelled} | {"return": None}
    return run


@dataclass(frozen=True)
class ProblemOptions:
    """What to search for, and the sources of its metrics."""

    latency: Latency = None
    device: MainDevice = None
    space: SearchedSpace = None
    predictor: PredictorName = None
    macs: Macs = None
    params: Params = None
    memory: Memory = None
    throughput: Throughput = None
    budget: Bounds = None
    objectives: ObjectivesList = None
    fix: Fix = None
    library: Library = None
    table: SubnetTables = None
    costs: LayerCosts = None
    threads: TableThreads = None
    batch: TableBatch = None
    precision: TablePrecision = None
    as_is: AsIs = False

    def request(self) -> Request:
        """The parsed request.

        Raises:
            HwnasError: an objective or a budget cannot be parsed.
        """
        return Request(
            space=self.space,
            objectives=parse_objectives(self.objectives) if self.objectives is not None else None,
            budgets=Budgets.of(self._budgets()),
            device=self.device,
            predictor=self.predictor,
            fix=self.fix or (),
            library=self.library,
            tables=self.table or (),
            costs=self.costs or (),
            conditions=RunConditions(self.threads, self.batch, self.precision),
            as_is=self.as_is,
        )

    def _budgets(self) -> list[tuple[str, Budget]]:
        found = [parse_timed(text, LATENCY) for text in self.latency or ()]
        found += [parse_timed(text, THROUGHPUT) for text in self.throughput or ()]
        for name, text in (("macs", self.macs), ("params", self.params), ("memory", self.memory)):
            if text is not None:
                metric = get_metric(name)
                found.append((f"--{name} {text}", Budget(metric, upper=metric.parse(text, f"--{name}"))))
        return [*found, *((f"--budget {text}", parse_budget(text)) for text in self.budget or ())]


@dataclass(frozen=True)
class ColumnOptions:
    """Columns of the user's texts, if they differ from the default names or those in training."""

    text_column: TextColumn = None
    pair_column: PairColumn = None
    label_column: LabelColumn = None

    def named(self) -> dict[str, str]:
        """The given columns, by ``text``, ``pair`` and ``label``."""
        options = {"text": self.text_column, "pair": self.pair_column, "label": self.label_column}
        return {part: column for part, column in options.items() if column is not None}


@dataclass(frozen=True)
class WorkerOptions:
    """Where subnets are evaluated."""

    workers: Workers = None
    cluster: Cluster = None

    def where(self) -> Where:
        """The place of evaluations.

        Raises:
            DataError: there is less than one worker.
        """
        return Where(self.workers, self.cluster)


@dataclass(frozen=True)
class EvaluationOptions:
    """Accuracy measured on a supernet's weights."""

    evaluate: Evaluate = False
    supernet: EvaluatedSupernet = None
    checkpoint: Checkpoint = None
    data: DataFolder = None
    images: Images = 5000
    calibrate: Calibrate = 2000
    batch_size: BatchSize = 100
    engine: EngineName = None
    workers: Workers = None
    cluster: Cluster = None

    def evaluation(
        self,
        space: str | None,
        evals: int,
        seed: int,
        columns: Mapping[str, str] | None = None,
        *,
        skip_failed: bool = False,
        racing: float | None = None,
    ) -> Evaluation | None:
        """The evaluation; None if accuracy is predicted.

        Raises:
            DataError: an option has no effect without ``--evaluate``, or a supernet and another space are named.
        """
        if columns and not self.evaluate:
            option = f"--{next(iter(columns))}-column"
            raise DataError(option, "only a search that evaluates subnets reads texts", "add --evaluate, or drop it")
        if self.supernet is not None and not self.evaluate:
            rule = "only a search that evaluates subnets has one"
            raise DataError(f"--supernet {self.supernet}", rule, "add --evaluate, or search by prediction with --space")
        if self.supernet is not None and space not in (None, self.supernet):
            rule = f"it has its own space, and --space names {space}"
            raise DataError(f"--supernet {self.supernet}", rule, "drop --space")
        where = Where(self.workers, self.cluster)
        if not self.evaluate:
            if racing is not None:
                raise DataError("--racing", "subnets only race if they are evaluated", "add --evaluate, or drop it")
            if where.elsewhere:
                option = f"--workers {self.workers}" if self.workers is not None else f"--cluster {self.cluster}"
                raise DataError(option, "workers evaluate subnets, and nothing is evaluated", "add --evaluate")
            return None
        return Evaluation(
            supernet=self.supernet or space or DEFAULT_SPACE,
            evals=evals,
            checkpoint=self.checkpoint,
            data=self.data,
            images=self.images,
            calibrate=self.calibrate,
            batch_size=self.batch_size,
            seed=seed,
            engine=self.engine,
            columns=columns or {},
            where=where,
            skip_failed=skip_failed,
            racing=racing,
        )
