"""Make a search problem from a request: read files, find tables, resolve budgets and objectives."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hwnas.errors import DataError, PredictorError
from hwnas.metric import LATENCY, QUALITY, SIZE, THROUGHPUT, Budget, Metric, get_metric, with_parts
from hwnas.study._budgets import Budgets
from hwnas.study._devices import USUAL, Devices, short
from hwnas.study._found import Found
from hwnas.study._given import Given, read_given
from hwnas.study._metrics import Metrics, narrowed
from hwnas.study._objectives import Objectives, check_names
from hwnas.study._predictor import find_predictor
from hwnas.study._request import Request
from hwnas.study._run_conditions import ANY, RunConditions
from hwnas.study._setup import Setup
from hwnas.study._space import open_in
from hwnas.study._table import find_table

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.predictor import Predictor
    from hwnas.space import SearchSpace

ANY_PRECISION = "any precision"
"""Kind of a plain space's predictor in a space of precisions."""

_BUILT_TIMED = "build the library with --device NAME"

MOST = 4
"""Most default objectives."""


def prepare(request: Request, of: SearchSpace | None = None, evaluated: str | None = None) -> Setup:
    """Read and find everything that a request names. Budgets that need no latency table are checked before one is made.

    Args:
        request: the request.
        of: the space, if it is known already.
        evaluated: the column that evaluations will give; then no predictor is needed for it.

    Raises:
        HwnasError: something does not fit.
    """
    from hwnas.search import check_count

    given = read_given(request, of)
    _, precision = open_in(given.space, request.conditions.precision)
    request = replace(request, conditions=replace(request.conditions, precision=precision))
    named = request.predictor is not None and evaluated is None
    accuracy = find_predictor(given.space, request.predictor) if named else None
    told = evaluated or (accuracy.it.card.metric if accuracy is not None else None)
    _refuse_unknown(request, given, told)
    budgets = dict(request.budgets.others)
    devices = Devices.of(request, given.columns) if given.space.slots else None
    wanted = _wanted(request.objectives, devices, given, accuracy, told)
    check_count([metric.column for metric in wanted])  # before a table is checked or made
    if devices is None:
        budgets |= _untimed(request.budgets, given)
    needed = with_parts([*wanted, *(b.metric for b in budgets.values())])
    of_weights = [m for m in needed if _of_weights(m, given, told)]
    accuracy = _predictor_for(of_weights, evaluated, accuracy, request.predictor, given.space)
    tables: dict[str, Found[LatencyTable]] = {}
    if devices is not None:
        tables = _tables(given.space, devices, request, main=devices.timed(needed))
        if not tables:
            _refuse_idle(request)
    metrics, notes = narrowed(given.space, accuracy, tables, batch=request.conditions.batch)
    metrics = _with_columns(metrics, request, given, needed, devices)
    _refuse_underived(needed, metrics)
    if devices is not None:
        for column, budget in devices.budgets(metrics).items():
            budgets[column] = budget.within(budgets.get(column, budget))
    notes += _notes(metrics, given, of_weights, accuracy, evaluated=evaluated is not None)
    main = devices.main if devices is not None else USUAL
    source = given.library.model if given.library is not None else request.space
    reference = source if isinstance(source, str) and source != given.space.name else None
    wanted = _latency_for_throughput(wanted, given)
    return Setup(metrics, wanted, budgets, given, tuple(notes), main, reference)


def _refuse_unknown(request: Request, given: Given, told: str | None) -> None:
    """Refuse budgets and objectives on unknown metrics, gaps in their columns, and budgets that layers cannot meet.

    Args:
        request: the request, with its precision.
        given: the user's files.
        told: the column of a predictor or of evaluations.
    """
    objectives, budgets, layers = request.objectives, request.budgets.others, bool(given.space.slots)
    if given.table is not None:
        asked_for = [*budgets, *(objectives.columns if objectives is not None else ())]
        given.table.refuse_gaps(asked_for if layers or objectives is not None else None)
    known = [*given.columns, *([told] if told is not None else [])]
    timing = _BUILT_TIMED if given.of_model else ""
    check_names("budget", budgets, known, layers=layers, timing=timing)
    if objectives is not None:
        check_names("objective", objectives.columns, known, layers=layers, timing=timing)
    _refuse_infeasible_counts(given, budgets, request.conditions)


def _with_columns(
    metrics: Metrics, request: Request, given: Given, needed: Sequence[Metric], devices: Devices | None
) -> Metrics:
    """The metrics, with the columns of files, and with rates and sizes if they are needed."""
    bounds = request.budgets
    rates = any(_is(THROUGHPUT, m) for m in [*needed, *(bound.metric for bound in bounds.timed.values())])
    computed = metrics.table.precision if metrics.table is not None else request.conditions.precision or "fp32"
    asked_size = bool(given.space.precisions) or any(_is(SIZE, m) for m in needed)
    sized = computed if asked_size and SIZE.column not in given.columns else None
    columns = given.columns
    if request.tables:  # keep only the columns that were named, as a table may have many
        named = {m.column for m in needed} | {LATENCY.on(m.device).column for m in needed if m.source == "device"}
        named |= {devices.latency(device).column for device in bounds.devices} if devices is not None else set()
        columns = {name: fn for name, fn in columns.items() if name in named}
    return replace(metrics, given=columns, rates=rates, sized=sized)


def _latency_for_throughput(wanted: Sequence[Metric], given: Given) -> tuple[Metric, ...]:
    """The objectives, with latency in place of throughput: their fronts are the same, but latency is additive.

    Throughput from a file stays.
    """
    summed = {m.column for m in wanted if _is(THROUGHPUT, m)}.difference(given.columns)
    searched = [LATENCY.on(m.device) if m.column in summed else m for m in wanted]
    return tuple({m.column: m for m in searched}.values())


def _is(known: Metric, metric: Metric) -> bool:
    """Whether a metric is a known one, on any device."""
    return metric.name.partition("@")[0] == known.name


def _of_weights(metric: Metric, given: Given, told: str | None) -> bool:
    """Whether the metric needs a predictor, an evaluation or a score, because no file, table or layer gives it."""
    return metric.column not in given.columns and (metric.source in ("weights", "untrained") or metric.column == told)


def _predictor_for(
    of_weights: Sequence[Metric],
    evaluated: str | None,
    accuracy: Found[Predictor] | None,
    named: str | None,
    space: SearchSpace,
) -> Found[Predictor] | None:
    """The predictor for metrics of the weights: the one named, or the one that ships; None if none is needed.

    Args:
        of_weights: the metrics of the weights.
        evaluated: the column of evaluations; None if there are none.
        accuracy: the predictor that was named.
        named: its name.
        space: the space.

    Raises:
        DataError, PredictorError: neither evaluations nor the predictor give one of the metrics.
    """
    if of_weights and evaluated is None:
        accuracy = accuracy or find_predictor(space, None)
    told = evaluated or (accuracy.it.card.metric if accuracy is not None else None)
    for metric in of_weights:
        if metric.column == told:
            continue
        twice = told in [other.column for other in of_weights]
        remedy = f"drop {metric.name}" if twice else f"write {told} in its place"
        if evaluated is not None:
            raise DataError(f"objective {metric.name}", f"the search evaluates {told}", remedy)
        fit = f"hwnas fit DATA.csv --space {shlex.quote(space.reference)} --metric {metric.name}"
        remedy = f"{remedy}, or pass a predictor of {metric.name}: {fit}"
        raise PredictorError(f"predictor {named or 'that ships'}", f"it predicts {told}, not {metric.column}", remedy)
    return accuracy if of_weights else None


def _refuse_underived(needed: Sequence[Metric], known: Metrics) -> None:
    """Refuse a metric that is derived from an unknown one."""
    for metric in needed:
        missing = [part for part in metric.of if part not in known.functions]
        if missing:
            rule = f"it is derived from {missing[0]}, which is not known"
            raise DataError(f"metric {metric.name}", rule, "pass --table or --costs FILE.csv with it")


def _refuse_idle(request: Request) -> None:
    """Refuse options of a device if no metric needs one: the device would not even be looked up."""
    for name, value in (("device", request.device), ("threads", request.conditions.threads)):
        if value is not None:
            rule = "no objective or budget needs a device"
            raise DataError(f"{name} {value}", rule, f"drop --{name}, or ask for latency")


def _notes(
    metrics: Metrics, given: Given, of_weights: Sequence[Metric], accuracy: Found[Predictor] | None, *, evaluated: bool
) -> list[str]:
    """Notes on accuracies of fp32 weights beside costs in another precision, and on the lengths of a library."""
    from hwnas.graph import MIXED

    notes = list(given.library.notes) if given.library is not None else []
    if given.space.precisions:
        if accuracy is not None and accuracy.it.kind == ANY_PRECISION:
            told = accuracy.it.card.metric
            notes.insert(0, f"{told} is of fp32 weights, whatever the precisions: --evaluate measures their cost")
        return notes
    names = [metric.name for metric in of_weights if metric.source != "untrained"]
    what, computed = "size", metrics.sized or "fp32"
    if metrics.table is not None:
        what, computed = "latency", metrics.table.precision
    if names and computed != "fp32":
        measure = f"`hwnas export --precision {computed} --images N` measures what is lost"
        if evaluated and computed in MIXED:
            measure = f"with --precision fp32,{computed} --fix q={computed} it is measured in {computed}"
        notes.insert(0, f"{what} is of {computed}, {names[0]} of fp32 weights: {measure}")
    return notes


def _wanted(
    objectives: Objectives | None,
    devices: Devices | None,
    given: Given,
    accuracy: Found[Predictor] | None,
    told: str | None,
) -> tuple[Metric, ...]:
    """The objectives; by default accuracy, and latency on every named device."""
    if objectives is not None:
        metrics = [objectives.metric(column) for column in objectives.columns]
        own = f"@{short(devices.main)}" if devices is not None else "@"
        main = [get_metric(m.column.removesuffix(own), m.direction) for m in metrics]
        return tuple({m.column: m for m in main}.values())
    if devices is not None:
        quality = QUALITY if told is None else accuracy.it.card.as_metric() if accuracy else get_metric(told)
        return (quality, LATENCY, *(LATENCY.on(name) for name in devices.others))[:MOST]
    if given.library is not None and given.library.usual:
        return tuple(get_metric(name) for name in given.library.usual)
    if len(given.columns) > MOST:
        listed = ", ".join(given.columns)
        remedy = f"name some: --objectives {QUALITY.name}=A,{LATENCY.name}=B"
        raise DataError("objectives", f"the table has the columns {listed}", remedy)
    return tuple(get_metric(name) for name in [*given.columns][:2])


def _untimed(bounds: Budgets, given: Given) -> dict[str, Budget]:
    """Latency budgets in a space without layers: they bound a column of the user's table."""
    if not {*bounds.timed} <= {LATENCY.column}:
        rule = "a space from a table has no devices"
        raise DataError("latency or throughput of a device", rule, "pass --latency TIME")
    column = LATENCY.column
    if bounds.timed and column not in given.columns:
        known = f"{_BUILT_TIMED}, or " if given.of_model else ""
        remedy = f"{known}name one: --objectives ...,{column}=COLUMN"
        raise DataError("latency", f"the table has no column {column}", remedy)
    return dict(bounds.timed)


def _tables(space: SearchSpace, devices: Devices, request: Request, *, main: bool) -> dict[str, Found[LatencyTable]]:
    """Latency tables by the names of devices in columns; the main device is ``""``, and included if ``main``.

    Named tables are read first, so that a misspelt name is found before a device is profiled. Conditions on the command
    line apply to this machine's devices and to the main one; other named tables have their own.
    """
    from hwnas.latency import is_provider

    wanted = {**({"": devices.main} if main else {}), **devices.others}
    here = [name for name, device in wanted.items() if is_provider(device)]
    found: dict[str, Found[LatencyTable]] = {}
    for name in sorted(wanted, key=here.__contains__):
        found[name] = find_table(
            space,
            wanted[name],
            request.conditions if name in here or not name else ANY,
            as_is=request.as_is,
            kept=request.kept / short(wanted[name]) if request.kept is not None else None,
        )
    return {name: found[name] for name in wanted}


def _refuse_infeasible_counts(given: Given, budgets: Mapping[str, Budget], conditions: RunConditions) -> None:
    """Check the budgets that need no latency table, since a table may take minutes to make.

    Raises:
        InfeasibleError: no subnet meets a budget.
    """
    early = {name: b for name, b in budgets.items() if name in given.columns or b.metric.source == "layers"}
    if early:
        asked_size = SIZE.column in early and SIZE.column not in given.columns
        sized = conditions.precision or "fp32" if asked_size else None
        metrics = Metrics(given.space, batch=conditions.batch or 1, given=given.columns, sized=sized)
        metrics.problem([next(iter(early.values())).metric], early).refuse_infeasible()
