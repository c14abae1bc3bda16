"""``hwnas measure``: the subnets of a front, run on the device as whole networks."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli._console import say, show
from hwnas.cli._options import AsJson, FrontSpace, Seed, TableBatch, TablePrecision, TableThreads
from hwnas.errors import DataError
from hwnas.files import together
from hwnas.metric import LATENCY
from hwnas.quantity import parse_latency_ms
from hwnas.study._outputs import Outputs
from hwnas.study._place import refuse_busy
from hwnas.study._space import space_of_front

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.study import Front

BROKEN = 1
"""Exit code where a measured subnet breaks the budget."""


def measure(
    front: Annotated[Path, typer.Argument(help="Pareto CSV that `hwnas search` wrote.", metavar="PARETO.csv")],
    device: Annotated[
        str | None,
        typer.Option("--device", help="Where to measure; by default the device that was searched for.", metavar="NAME"),
    ] = None,
    threads: TableThreads = None,
    batch: TableBatch = None,
    precision: TablePrecision = None,
    rows: Annotated[
        str | None, typer.Option("--rows", help="Only these rows: 1,4-8; default: all.", metavar="LIST")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", help="At most so many rows, evenly thinned.", min=1, metavar="N")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Latency budget; default: the search's.", metavar="TIME")
    ] = None,
    space: FrontSpace = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV to write; default: into PARETO.csv itself.", metavar="FILE")
    ] = None,
    seed: Seed = 0,
    to_json: AsJson = False,
) -> None:
    """Measure every subnet of a front on the device: latency_measured_ms, latency_p95_ms and the prediction's error.

    Exit code 1 if one breaks the budget. Killed at any moment, the same command resumes.

    Example: hwnas measure pareto.csv --most 40
    """
    from hwnas.io import read_csv
    from hwnas.latency import fidelity, summary
    from hwnas.report import front_table, read_pareto, with_measured
    from hwnas.study import Front
    from hwnas.study._measure import measured

    outputs = Outputs(out or front)
    outputs.check()
    loaded = Front.load(front, space)
    if loaded.space is None:
        space_of_front(loaded.facts, front, space)  # says why
    numbers = loaded.frame["row"].tolist()
    done = measured(
        loaded,
        rows=[numbers[i] for i in chosen_rows(numbers, rows, front)],
        most=most,
        device=device,
        threads=threads,
        batch=batch,
        precision=precision,
        budget=parse_latency_ms(budget, "--budget") if budget is not None else None,
        seed=seed,
        journal=outputs.csv.with_name(f"{outputs.csv.name}.measure.jsonl"),
    )
    at, found, budget_ms, place = done.at, done.found, done.budget_ms, done.place
    # The CSV keeps its cells as they were written.
    text = with_measured(read_csv(front, as_text=True), at, found.measurements, budget_ms)
    _write(outputs, text, done.front)
    done.journal.unlink(missing_ok=True)
    frame = read_pareto(outputs.csv)
    taken = frame.iloc[at].reset_index(drop=True)
    broken = taken["row"][taken["within_budget"] == "False"].tolist() if "within_budget" in taken else []
    if to_json:
        say(Front.load(outputs.csv, space).to_json())
        refuse_busy(found.load, f"what was measured, in {outputs.csv}")
        raise typer.Exit(BROKEN if broken else 0)
    show(front_table(taken))
    say(f"\nwrote {outputs.csv}, {outputs.json}, {outputs.png}")
    if "latency_error_pct" in taken:
        errors = fidelity(
            taken[LATENCY.column].to_numpy(dtype=float), taken[LATENCY.companion("measured")].to_numpy(dtype=float)
        )
        say(f"predicted against measured: {summary(errors)}")
    if LATENCY.companion("low") in taken:
        inside = taken[LATENCY.companion("measured")].between(
            taken[LATENCY.companion("low")], taken[LATENCY.companion("high")]
        )
        say(
            f"{inside.sum()} of {len(taken)} lie within their interval, which a search makes fewer than of random subnets"
        )
    for line in _verdict(taken, budget_ms, broken, outputs.csv, place.device.name):
        say(line)
    refuse_busy(found.load, f"what was measured, in {outputs.csv}")
    raise typer.Exit(BROKEN if broken else 0)


def _write(outputs: Outputs, text: pd.DataFrame, front: Front) -> None:
    """All three files or none; the CSV keeps its cells as they were written."""
    from hwnas.report import save_plot, write_pareto, write_provenance

    with together():
        save_plot(front.picture(), outputs.png)
        write_provenance(front.facts, outputs.json)
        write_pareto(text, outputs.csv)


def _verdict(frame: pd.DataFrame, budget_ms: float | None, broken: list[int], csv: Path, device: str) -> list[str]:
    name = shlex.quote(str(csv))
    if budget_ms is None:
        return [f"next: hwnas export {name} --row {frame['row'].iloc[0]} --device {device}"]
    lines = [f"{len(frame) - len(broken)} of {len(frame)} subnets hold the budget of {budget_ms:g} ms"]
    if broken:
        over = frame[frame["row"].isin(broken)][LATENCY.companion("measured")].to_numpy(dtype=float) / budget_ms - 1
        which = ", ".join(map(str, broken[:8])) + (f" and {len(broken) - 8} more" if len(broken) > 8 else "")
        lines[0] += f"; rows {which} break it, by up to {100 * over.max():.1f} %"
    left = frame[~frame["row"].isin(broken)]
    if len(left):
        best = f"hwnas export {name} --row {left['row'].iloc[0]} --device {device}"
        lines.append(f"next: {best}    (the most accurate that holds, measured again as a file)")
    if broken:
        lines.append("      hwnas search ... --verify    (searches again with the table adapted to measurements)")
    return lines


def chosen_rows(numbers: list[int], wanted: str | None, csv: Path) -> list[int]:
    """Positions of the rows that ``--rows 1,4-8`` names, in the order of the file.

    Raises:
        DataError: not of that form, or a row that the file does not have.
    """
    if wanted is None:
        return list(range(len(numbers)))
    chosen: set[int] = set()
    for part in wanted.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise DataError(f"--rows {wanted}", "it reads 1,4-8", "write row numbers and ranges of them")
        span = range(int(first), int(last or first) + 1)
        if not span:
            raise DataError(f"--rows {part.strip()}", "the range ends before it begins", f"write --rows {last}-{first}")
        known = [n for n in numbers if n in span]
        lowest, highest = min(numbers), max(numbers)
        if not known or span[0] < lowest or span[-1] > highest:
            within = f"write --rows {max(span[0], lowest)}-{min(span[-1], highest)}" if known else "pick from them"
            raise DataError(f"--rows {part.strip()}", f"{csv} has rows {lowest} to {highest}", within)
        chosen.update(known)
    return [i for i, number in enumerate(numbers) if number in chosen]
