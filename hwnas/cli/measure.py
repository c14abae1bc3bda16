"""``hwnas measure``: run the subnets of a front on the device as whole networks."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.arguments import parts_of
from hwnas.cli._console import say, show
from hwnas.cli._errors import BAD_OUTCOME, exit_with
from hwnas.cli._next import OF_WEIGHTS, export_command, options_of
from hwnas.cli._options import AsJson, FrontSpace, Interpreter, Seed, TableBatch, TablePrecision, TableThreads
from hwnas.errors import DataError, DeviceError
from hwnas.metric import LATENCY
from hwnas.quantity import parse_latency_ms
from hwnas.study._jobs import on_each
from hwnas.study._measure import Measuring, positions
from hwnas.study._measured import Measured
from hwnas.study._outputs import Outputs
from hwnas.study._place import refuse_busy
from hwnas.study._run_conditions import RunConditions
from hwnas.study._space import space_of_front
from hwnas.wording import count_of, first_few

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.study import Front


def measure(
    front: Annotated[Path, typer.Argument(help="Pareto CSV that `hwnas search` wrote.", metavar="PARETO.csv")],
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            help="Where to measure; default: the device of the search. Another machine: ssh://user@host:port. Repeat it for "
            "more devices, whose columns end in @NAME.",
            metavar="NAME",
        ),
    ] = None,
    threads: TableThreads = None,
    batch: TableBatch = None,
    precision: TablePrecision = None,
    rows: Annotated[
        str | None, typer.Option("--rows", help="Measure only these rows: 1,4-8; default: all.", metavar="LIST")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", help="Measure at most N rows, evenly thinned.", min=1, metavar="N")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Latency budget; default: the search's.", metavar="TIME")
    ] = None,
    space: FrontSpace = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV to write; default: into PARETO.csv itself.", metavar="FILE")
    ] = None,
    python: Interpreter = "python3",
    seed: Seed = 0,
    to_json: AsJson = False,
) -> None:
    """Measure every subnet of a front on the device: latency_measured_ms, latency_p95_ms and the prediction's error.

    Exit code 1 if a subnet breaks the budget, or if one of several devices fails. A killed command resumes when it is run
    again.

    Example: hwnas measure pareto.csv --most 40

    Example: hwnas measure pareto.csv --device cpu --device ssh://pi@kitchen
    """
    from hwnas.io import read_csv
    from hwnas.report import front_table, read_pareto
    from hwnas.study import Front

    loaded, outputs = Front.load(front, space), Outputs(out or front)
    outputs.check()
    if loaded.space is None:
        space_of_front(loaded.provenance, front, space)  # raises the reason
    named = chosen_rows(loaded.frame["row"].tolist(), rows, front) if rows is not None else None
    budget_ms = parse_latency_ms(budget, "--budget") if budget is not None else None
    conditions = RunConditions(threads, batch, precision)
    measuring = Measuring(loaded, positions(loaded, named, most), budget_ms, conditions, seed)
    jobs = measuring.jobs(device or [], python, outputs.csv)
    ended = on_each(jobs)
    failures = [(each.job.device, each.error) for each in ended if each.error is not None]
    done = [each.result for each in ended if each.result is not None]
    if not done:
        exit_with(failures, len(jobs))
    text, whole = read_csv(front, as_text=True), loaded  # as text, cells stay as they were
    for each in done:
        text, whole = each.beside(text), each.on(whole)
    outputs.write(text, whole.provenance, whole.picture())
    for each in done:
        for journal in each.journals:
            journal.unlink(missing_ok=True)
    frame = read_pareto(outputs.csv)
    taken = frame.iloc[measuring.at].reset_index(drop=True)
    broken = {each.name: _broken(taken, each) for each in done}
    of_export = _options_of_export(loaded, supernet=space, precision=precision)
    typed = _spelled(threads=threads, batch=batch)
    if to_json:
        say(Front.load(outputs.csv, space).to_json())
    else:
        show(front_table(taken))
        say(f"\nwrote {outputs.csv}, {outputs.json}, {outputs.png}")
        for each in done:
            there = [] if each.elsewhere else [*_spelled(device=each.place.device.name), *typed]
            export = partial(export_command, outputs.csv, options=[*of_export, *there])
            for line in _summary(taken, each, broken[each.name], export):
                say(line)
    for each in done:
        try:
            refuse_busy(each.found.load, f"measurements in {outputs.csv}")
        except DeviceError as error:
            failures.append((each.name or each.place.device.name, error))
    exit_with(failures, len(jobs))
    raise typer.Exit(BAD_OUTCOME if any(broken.values()) else 0)


def _broken(frame: pd.DataFrame, done: Measured) -> list[int]:
    """Numbers of rows that break a device's budget."""
    within = f"within_budget@{done.name}" if done.name else "within_budget"
    rows: list[int] = frame["row"][frame[within] == "False"].tolist() if within in frame else []
    return rows


def _options_of_export(front: Front, **others: str | None) -> list[str]:
    """Options for an export of the front: those of weights in its search, and ``others``."""
    return [*options_of(shlex.split(front.provenance.command or ""), OF_WEIGHTS.__contains__), *_spelled(**others)]


def _spelled(**options: object) -> list[str]:
    """The options that are not None, as typed words."""
    return [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]


def _summary(frame: pd.DataFrame, done: Measured, broken: list[int], export: Callable[[int], str]) -> list[str]:
    """Lines on a device's measurements: errors of predictions, the budget, and the next command."""
    from hwnas.latency import fidelity, summary

    latency, lines = LATENCY.on(done.name), []
    on = f" on {done.name}" if done.name else ""
    measured = frame[latency.companion("measured")]
    if latency.column in frame:
        errors = fidelity(frame[latency.column].to_numpy(dtype=float), measured.to_numpy(dtype=float))
        lines.append(f"predicted against measured{on}: {summary(errors)}")
    if latency.companion("low") in frame:
        inside = measured.between(frame[latency.companion("low")], frame[latency.companion("high")])
        lines.append(
            f"{inside.sum()} of {len(frame)} lie within their interval; in a front, these are fewer than among random subnets"
        )
    if done.decoding is not None and not done.name:
        lines += done.decoding.summary(frame)
    if done.name:
        n_held = len(frame) - len(broken)
        held = "" if done.budget_ms is None else f"; {n_held} hold the budget of {done.budget_ms:g} ms"
        return [*lines, f"{done.name}: {count_of(len(frame), 'subnet')} measured on {done.place.label}{held}"]
    over = 0.0  # excess of the slowest subnet, as a share of the budget
    if done.budget_ms is not None:
        over = float((measured[frame["row"].isin(broken)] / done.budget_ms - 1).max()) if broken else 0.0
        held = f"{len(frame) - len(broken)} of {len(frame)} subnets hold the budget of {done.budget_ms:g} ms"
        lines.append(held + (f"; rows {first_few(broken, 8)} break it, by up to {100 * over:.1f} %" if broken else ""))
    # Measurements of a busy machine are refused, so no next step builds on them.
    return lines if done.found.load.busy else [*lines, *_next(frame, done, broken, over, export)]


def _next(
    frame: pd.DataFrame, done: Measured, broken: list[int], over: float, export: Callable[[int], str]
) -> list[str]:
    """Lines with the next commands, given which rows break the budget of the main device and by how much at most."""
    if done.budget_ms is None:
        return [f"next: {export(frame['row'].iloc[0])}"]
    lines, left = [], frame[~frame["row"].isin(broken)]
    if len(left):
        file = "" if done.elsewhere else ", measured again as a file"
        lines.append(f"next: {export(left['row'].iloc[0])}    (the most accurate that holds{file})")
    if broken:
        again = "--verify    (searches again with the table adapted to measurements)"
        if done.decoding is not None:  # --verify of a library measures scores, not latency
            again = f"--latency {done.budget_ms / (1 + over):.3g}ms    (a budget smaller by as much)"
        lines.append(f"      hwnas search ... {again}")
    return lines


def chosen_rows(numbers: list[int], wanted: str, csv: Path) -> list[int]:
    """The rows that ``--rows 1,4-8`` names, out of the numbers in a file.

    Raises:
        DataError: the text has another form, or the file has no such row.
    """
    chosen: set[int] = set()
    for part in parts_of(wanted, "--rows "):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise DataError(f"--rows {wanted}", "it reads 1,4-8", "write row numbers and ranges of them")
        span = range(int(first), int(last or first) + 1)
        if not span:
            raise DataError(f"--rows {part}", "the range ends before it begins", f"write --rows {last}-{first}")
        known = [n for n in numbers if n in span]
        lowest, highest = min(numbers), max(numbers)
        if not known or span[0] < lowest or span[-1] > highest:
            within = f"write --rows {max(span[0], lowest)}-{min(span[-1], highest)}" if known else "pick from them"
            raise DataError(f"--rows {part}", f"{csv} has rows {lowest} to {highest}", within)
        chosen.update(known)
    return sorted(chosen)
