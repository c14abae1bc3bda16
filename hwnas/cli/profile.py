"""``hwnas profile``: make a latency table of a device, by profiling ONNX layers inside whole networks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import is_zipfile

import typer

from hwnas.cli._check import check as check_here
from hwnas.cli._console import say
from hwnas.cli._errors import exit_with
from hwnas.cli._options import Batch, Fix, Interpreter, SearchedSpace, Seed, TablePrecision, Threads
from hwnas.errors import DataError, HwnasError
from hwnas.progress import notice, progress, resumable
from hwnas.study._boards import import_result, names_of, profile_elsewhere, write_bundle
from hwnas.study._jobs import Job, on_each
from hwnas.study._lengths import lengths_stated
from hwnas.study._place import elsewhere_words, refuse_busy
from hwnas.study._space import open_in, restricted

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable, Plan
    from hwnas.space import SearchSpace

TABLES = Path("latency_tables")
STEP = 16
"""Pixels between the resolutions to profile by default. The resolutions of published spaces are 4 apart; to profile all
of them takes hours."""


def profile(
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            help="Provider of `hwnas devices`: cpu, cuda:1; or another machine: ssh://user@host:port. Repeat it for more: "
            "machines are profiled at once, devices of one machine in turn.",
            metavar="NAME",
            show_default="cpu",
        ),
    ] = None,
    space: SearchedSpace = None,
    fix: Fix = None,
    threads: Threads = 1,
    batch: Batch = 1,
    precision: TablePrecision = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder that holds tables, one folder each.", metavar="FOLDER")
    ] = TABLES,
    published: Annotated[
        Path | None,
        typer.Option(
            "--import",
            help="Import a board's result or a published table (OFA's YAML files) instead of measuring; --device names it.",
            metavar="PATH",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            help="Write models and script for a device that only has Python, numpy and onnxruntime.",
            metavar="ZIP",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Check the existing table on fresh subnets; exit code 1 if it does not hold."),
    ] = False,
    subnets: Annotated[
        int | None,
        typer.Option(
            "--subnets", help="Whole subnets that check the table. \\[default: 36; with --check 24]", min=2, metavar="N"
        ),
    ] = None,
    python: Interpreter = "python3",
    seed: Seed = 0,
) -> None:
    """Make a latency table of this machine, and validate it on whole subnets that took no part.

    A killed command resumes when it is run again. If one of several devices fails, the others go on; exit code 1 if some
    fail, 2 if all do.

    Example: hwnas profile --device cpu --space ofa_mbv3_w1.0 --fix r=224

    Example: hwnas profile --device cpu --device ssh://pi@kitchen --device ssh://pi@cellar
    """
    from hwnas.latency import SUBNETS, Plan, get_device, is_board_result, is_remote

    devices = device or ["cpu"]
    names_of(devices)
    whole, computed = open_in(space, precision)
    precision, domain = computed or "fp32", restricted(whole, fix, any_length=True)
    if not domain.slots:
        raise DataError(f"--space {domain.name}", "it has no layers to profile", "search it with --table FILE.csv")
    name, remote = devices[0], [each for each in devices if is_remote(each)]
    if len(devices) > 1 and (check or published is not None or bundle is not None):
        option = "--check" if check else "--import" if published is not None else "--bundle"
        raise DataError(f"{option} with {len(devices)} devices", "it takes one device", "name one --device")
    if check and (published is not None or bundle is not None or remote):
        raise DataError("--check", "it measures subnets on this machine", "pass only a device of this machine with it")
    if published is not None and bundle is not None:
        raise DataError("--bundle and --import", "they are the two ends of a measurement elsewhere", "give one of them")
    if bundle is not None and remote:
        rule = "over ssh hwnas sends a bundle and fetches the result by itself"
        raise DataError(f"--bundle with --device {name}", rule, "drop --bundle, or name a provider: --device cpu")
    if domain.plain is not None and (published is not None or bundle is not None or remote):
        rule = "mixed networks are timed on this machine's devices"
        raise DataError(f"--precision {precision.replace('+', ',')}", rule, "profile one precision at a time elsewhere")
    if check:
        here = get_device(name, threads=threads, batch=batch)
        check_here(here, domain, precision, out, n=subnets or SUBNETS, seed=seed)
        return
    plan = Plan(seed=seed) if subnets is None else Plan(seed=seed, n_validation=subnets)
    if bundle is not None:
        domain = _default_resolutions(domain)
        say(write_bundle(bundle, name, domain, threads=threads, batch=batch, precision=precision, plan=plan))
        return
    if published is not None:
        if remote:
            raise DataError("--import with --device ssh://", "an imported table is measured already", "name the device")
        if is_zipfile(published):
            rule = "it is a bundle, which must first run on the board"
            raise DataError(f"--import {published}", rule, "run it there, and import the board.csv that it writes")
        if is_board_result(published):
            _show(*import_result(published, name, domain, out, asked=space is not None), elsewhere=True)
        else:
            _show(_published(published, name, domain, out), domain, elsewhere=True)
        return
    domain = _default_resolutions(domain)
    options: dict[str, Any] = {"threads": threads, "batch": batch, "precision": precision, "plan": plan}
    jobs = [
        profile_elsewhere(each, python, domain, out, **options)
        if each in remote
        else _here(each, domain, out, **options)
        for each in devices
    ]
    failures = []
    for ended in on_each(jobs):
        try:
            if ended.error is not None:
                raise ended.error
            assert ended.result is not None
            _show(*ended.result, elsewhere=ended.job.elsewhere)
        except HwnasError as error:
            failures.append((ended.job.device, error))
    exit_with(failures, len(devices))


def _here(
    name: str, space: SearchSpace, out: Path, *, threads: int, batch: int, precision: str, plan: Plan
) -> Job[tuple[LatencyTable, SearchSpace]]:
    """The job that makes the table of a device of this machine."""
    from hwnas.latency import check_precision, get_device
    from hwnas.latency import profile as measure

    here = get_device(name, threads=threads, batch=batch)
    check_precision(here, precision)
    folder = out / here.id

    def make(_go_on: object) -> LatencyTable:
        how = (
            "inside whole subnets"
            if here.known_provider.node_times
            else "one by one, and whole subnets that correct them"
        )
        notice(
            f"profiling the {len(space.layers())} layers of {space.name}{_at(space)} on {here.label(precision)}, {how}; "
            f"then a check against others. Kept in {folder}; Ctrl-C and the same command resume"
        )
        with resumable(f"measurements are kept in {folder}"), progress(f"profiling {name}") as advance:
            return measure(here, space, folder, precision=precision, plan=plan, progress=advance)

    return Job(name, make, lambda table: (table, space))


def _published(path: Path, name: str, space: SearchSpace, out: Path) -> LatencyTable:
    from hwnas.latency import find_table, read_published

    table = read_published(path, name, space)
    folder = out / table.device.id
    if folder.exists():
        table = find_table(folder).joined(table)
    return table.save(folder)


def _show(table: LatencyTable, space: SearchSpace, *, elsewhere: bool) -> None:
    """Print the report of a table.

    Raises:
        DeviceError: the machine was too busy for the table to be trusted.
    """
    from hwnas.latency import Load

    say(_report(table, space, elsewhere=elsewhere))
    refuse_busy(Load.of(table.about(space)), f"latency table {table.name}")


def _default_resolutions(space: SearchSpace) -> SearchSpace:
    """The space at resolutions ``STEP`` apart, if it has many and none are asked for."""
    for name, values in space.input_values.items():
        if len(values) > 9 and values == space.whole.input_values[name]:
            space = space.restrict(**{name: [v for v in values if isinstance(v, int) and v % STEP == 0]})
    return space


def _at(space: SearchSpace) -> str:
    return f" at {space.input_text}" if space.input_genes else ""


def _report(table: LatencyTable, space: SearchSpace, *, elsewhere: bool) -> str:
    from hwnas.latency import Load, interval_words, summary
    from hwnas.predictor import embedded_names
    from hwnas.space import precisions_named
    from hwnas.supernet import reference_kind

    facts = table.about(space)
    own = len(table.own_rows)
    of_all = f" of {len(table.rows)}" if own < len(table.rows) else ""
    lines = [f"latency table {table.name}: {own}{of_all} rows"]
    if facts.get("resolutions"):
        lines.append(f"  covers    {space.name} at {', '.join(str(r) for r in facts['resolutions'])}")
    validation = table.validation(space)
    if validation is not None:
        lines.append(f"  method    {facts['method']}, {facts['networks']} subnets, {facts['seconds']:.0f} s")
        lines.append(f"  check     {summary(validation)}")
    if facts.get("validation_plain"):
        lines.append(f"  by other means, files timed by a plain process: {summary(facts['validation_plain'])}")
    if facts.get("interval"):
        lines.append(f"  interval  {interval_words(facts['interval'])}")
    if facts.get("repeat_pct") is not None:
        lines.append(f"  noise     {Load.of(facts).words}")
    if facts.get("elsewhere"):
        lines.append(f"  fallback  {elsewhere_words(facts['elsewhere'])}")
    kept_usually = table.path is not None and table.path.parent == TABLES
    name = table.path.name if table.path is not None and kept_usually else table.path
    made = table.device
    usual = made.name == "cpu" and (made.threads, made.batch) == (1, 1)
    where = (
        "" if kept_usually and name == made.id and usual and not elsewhere else f" --device {shlex.quote(str(name))}"
    )
    precision = f" --precision {table.precision.replace('+', ',')}" if table.precision != "fp32" else ""
    reference, _ = precisions_named(space.reference)
    if stated := lengths_stated(space):
        where = where or " --device cpu"
        lines.append(
            f"next: hwnas library build --model {shlex.quote(reference)} --data TEXT{precision}{where}{stated}"
        )
        return "\n".join(lines)
    cost = table.cost(table.covered(space))
    budget = float(f"{(cost.minimum()[0] + cost.maximum()[0]) / 2:.2g}")
    measured = "" if (space.plain or space).name in embedded_names() else " --evaluate"
    if measured and reference_kind(reference).carries_weights:  # a file or folder brings no samples
        measured += " --data FOLDER"
    search = f"hwnas search{where}{precision} --space {shlex.quote(reference)} --latency {budget:g}ms{measured}"
    lines.append(f"next: {search}")
    return "\n".join(lines)
