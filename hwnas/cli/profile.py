"""``hwnas profile``: make a latency table of a device, by profiling ONNX layers inside whole networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zipfile import is_zipfile

import typer

from hwnas.cli._check import check as check_here
from hwnas.cli._console import say
from hwnas.cli._errors import exit_with
from hwnas.cli._options import Batch, Fix, Interpreter, SearchedSpace, Seed, TablePrecision, Threads
from hwnas.cli._table_report import TABLES, show_table
from hwnas.errors import DataError, HwnasError
from hwnas.progress import notice, progress, resumable
from hwnas.study._boards import ProfileSettings, import_result, names_of, profile_elsewhere, write_bundle
from hwnas.study._jobs import Job, on_each
from hwnas.study._space import open_in, restricted

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.space import SearchSpace

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
    from hwnas.latency import SUBNETS, Plan, get_device

    devices = device or ["cpu"]
    names_of(devices)
    whole, computed = open_in(space, precision)
    precision, domain = computed or "fp32", restricted(whole, fix, any_length=True)
    if not domain.slots:
        raise DataError(f"--space {domain.name}", "it has no layers to profile", "search it with --table FILE.csv")
    _refuse_mixed(devices, check=check, published=published, bundle=bundle)
    if domain.plain is not None and (published or bundle or _remote(devices)):
        rule = "mixed networks are timed on this machine's devices"
        raise DataError(f"--precision {precision.replace('+', ',')}", rule, "profile one precision at a time elsewhere")
    if check:
        here = get_device(devices[0], threads=threads, batch=batch)
        check_here(here, domain, precision, out, n=subnets or SUBNETS, seed=seed)
        return
    if published is not None:
        _import(published, devices[0], domain, out, asked=space is not None)
        return
    plan = Plan(seed=seed) if subnets is None else Plan(seed=seed, n_validation=subnets)
    settings = ProfileSettings(threads, batch, precision, plan)
    domain = _default_resolutions(domain)
    if bundle is not None:
        say(write_bundle(bundle, devices[0], domain, settings))
        return
    _profile(devices, python, domain, out, settings)


def _remote(devices: Sequence[str]) -> list[str]:
    from hwnas.latency import is_remote

    return [name for name in devices if is_remote(name)]


def _refuse_mixed(devices: Sequence[str], *, check: bool, published: Path | None, bundle: Path | None) -> None:
    """Refuse options that contradict each other.

    Raises:
        DataError: there are some; the message names the first.
    """
    remote = _remote(devices)
    if len(devices) > 1 and (check or published or bundle):
        option = "--check" if check else "--import" if published else "--bundle"
        raise DataError(f"{option} with {len(devices)} devices", "it takes one device", "name one --device")
    if check and (published or bundle or remote):
        raise DataError("--check", "it measures subnets on this machine", "pass only a device of this machine with it")
    if published and bundle:
        raise DataError("--bundle and --import", "they are the two ends of a measurement elsewhere", "give one of them")
    if bundle and remote:
        rule = "over ssh hwnas sends a bundle and fetches the result by itself"
        raise DataError(f"--bundle with --device {devices[0]}", rule, "drop --bundle, or name a provider: --device cpu")
    if published and remote:
        raise DataError("--import with --device ssh://", "an imported table is measured already", "name the device")


def _profile(devices: Sequence[str], python: str, space: SearchSpace, out: Path, settings: ProfileSettings) -> None:
    """Profile devices, and show the table of each.

    Raises:
        HwnasError: the only device failed.
        typer.Exit: one of several devices failed.
    """
    remote = _remote(devices)
    jobs = [
        profile_elsewhere(name, python, space, out, settings) if name in remote else _here(name, space, out, settings)
        for name in devices
    ]
    failures = []
    for ended in on_each(jobs):
        try:
            if ended.error is not None:
                raise ended.error
            assert ended.result is not None
            show_table(*ended.result, elsewhere=ended.job.elsewhere)
        except HwnasError as error:
            failures.append((ended.job.device, error))
    exit_with(failures, len(devices))


def _import(path: Path, name: str, space: SearchSpace, out: Path, *, asked: bool) -> None:
    """Import a board's result, or a published table, as the table of a device.

    Raises:
        DataError: it is a bundle, or does not fit.
    """
    from hwnas.latency import is_board_result

    if is_zipfile(path):
        rule = "it is a bundle, which must first run on the board"
        raise DataError(f"--import {path}", rule, "run it there, and import the board.csv that it writes")
    if is_board_result(path):
        show_table(*import_result(path, name, space, out, asked=asked), elsewhere=True)
    else:
        show_table(_published(path, name, space, out), space, elsewhere=True)


def _here(name: str, space: SearchSpace, out: Path, settings: ProfileSettings) -> Job[tuple[LatencyTable, SearchSpace]]:
    """The job that makes the table of a device of this machine."""
    from hwnas.latency import check_precision, get_device
    from hwnas.latency import profile as measure

    precision = settings.precision
    here = get_device(name, threads=settings.threads, batch=settings.batch)
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
            return measure(here, space, folder, precision=precision, plan=settings.plan, progress=advance)

    return Job(name, make, lambda table: (table, space))


def _published(path: Path, name: str, space: SearchSpace, out: Path) -> LatencyTable:
    from hwnas.latency import find_table, read_published

    table = read_published(path, name, space)
    folder = out / table.device.id
    if folder.exists():
        table = find_table(folder).joined(table)
    return table.save(folder)


def _default_resolutions(space: SearchSpace) -> SearchSpace:
    """The space at resolutions ``STEP`` apart, if it has many and none are asked for."""
    for name, values in space.input_values.items():
        if len(values) > 9 and values == space.whole.input_values[name]:
            space = space.restrict(**{name: [v for v in values if isinstance(v, int) and v % STEP == 0]})
    return space


def _at(space: SearchSpace) -> str:
    return f" at {space.input_text}" if space.input_genes else ""
