"""``hwnas export``: write a subnet as ONNX with its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli._errors import BAD_OUTCOME
from hwnas.cli._groups import ColumnOptions, shares_options
from hwnas.cli._options import (
    REFERENCE,
    BatchSize,
    Calibrate,
    Checkpoint,
    DataFolder,
    Seed,
    TableBatch,
    TablePrecision,
    TableThreads,
)
from hwnas.errors import DataError
from hwnas.quantity import parse_latency_ms
from hwnas.study._chosen import ChosenSubnet
from hwnas.study._export import export_subnet, supernet_of
from hwnas.study._export_settings import OPSETS, ExportSettings
from hwnas.study._file_precision import AGREEMENT_PCT
from hwnas.study._provenance import Provenance
from hwnas.study._run_conditions import RunConditions

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwnas.supernet import Supernet

    Choose = Callable[[Supernet], ChosenSubnet]
    """Chooses the subnet to export, given the opened supernet."""


@shares_options
def export(
    *,
    pareto: Annotated[
        Path | None, typer.Argument(help="CSV of subnets from search or evaluate.", metavar="PARETO.csv")
    ] = None,
    row: Annotated[int | None, typer.Option("--row", help="Row of the CSV to export.", min=1, metavar="N")] = None,
    arch: Annotated[
        str | None, typer.Option("--arch", help="The subnet as JSON, instead of a row.", metavar="JSON")
    ] = None,
    supernet: Annotated[
        str | None,
        typer.Option("--supernet", help=f"Supernet: {REFERENCE}; default: that of the search.", metavar="NAME"),
    ] = None,
    checkpoint: Checkpoint = None,
    data: DataFolder = None,
    columns: ColumnOptions,
    images: Annotated[
        int | None,
        typer.Option(
            "--images",
            help="Also measure accuracy on N images; without --data, on all that the supernet brings.",
            min=1,
            metavar="N",
        ),
    ] = None,
    calibrate: Calibrate = 2000,
    batch_size: BatchSize = 100,
    random_weights: Annotated[
        bool,
        typer.Option(
            "--random-weights",
            help="Use random weights instead of a checkpoint, for latency checks only; the file says so.",
        ),
    ] = False,
    precision: TablePrecision = None,
    agreement: Annotated[
        float | None,
        typer.Option(
            "--agreement",
            help=f"Least share of images, in percent, on which int8 must agree with fp32. \\[default: {AGREEMENT_PCT:g}]",
            min=0,
            max=100,
            metavar="PERCENT",
        ),
    ] = None,
    opset: Annotated[
        int, typer.Option("--opset", help="ONNX operator set.", min=OPSETS[0], max=OPSETS[-1], metavar="N")
    ] = 17,
    device: Annotated[
        str | None,
        typer.Option("--device", help="Time the file there, and check the budget: cpu, cuda:0.", metavar="NAME"),
    ] = None,
    threads: TableThreads = None,
    batch: TableBatch = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Latency budget; default: the search's.", metavar="TIME")
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="FILE.onnx; any other name is a folder: model.onnx, its labels, and its tokenizer or preprocessing.",
            metavar="FILE|FOLDER",
        ),
    ] = Path("subnet.onnx"),
) -> None:
    """Write a subnet as ONNX (dynamic batch and length, batch norms folded), checked against torch.

    Its precision is that of --precision, otherwise that of the search, otherwise fp32. Precisions other than fp32 are
    compared with fp32 on the calibration images. With --device the file is also timed. Exit code 1 if the file agrees with
    fp32 on fewer images than --agreement, or breaks the latency budget.

    Example: hwnas export pareto.csv --row 3 --data imagenet --out model.onnx

    Example: hwnas export pareto.csv --row 3 --data photos --out deploy
    """
    if (pareto is None) == (arch is None):
        raise DataError("the subnet", "it is a row of a CSV or an arch", "pass PARETO.csv --row N, or --arch JSON")
    if arch is not None and row is not None:
        raise DataError(f"--row {row}", "it names a row of a CSV, but --arch is the subnet itself", "drop one of them")
    if pareto is not None and not pareto.is_file():
        raise DataError(f"file {pareto}", "there is no such file", "check the path")
    provenance = Provenance.read(pareto) if pareto is not None else Provenance()
    choose = _of_arch(arch) if arch is not None else _of_row(pareto or Path(), row)
    settings = ExportSettings(
        supernet=supernet or supernet_of(provenance),
        checkpoint=checkpoint,
        random_weights=random_weights,
        data=data,
        images=images,
        calibrate=calibrate,
        batch_size=batch_size,
        seed=seed,
        agreement_pct=agreement,
        opset=opset,
        device=device,
        conditions=RunConditions(threads, batch, precision),
        budget_ms=parse_latency_ms(budget, "--budget") if budget is not None else None,
        columns=columns.named(),
    )
    holds = export_subnet(settings, provenance, choose, out)
    raise typer.Exit(0 if holds else BAD_OUTCOME)


def _of_arch(text: str) -> Choose:
    arch = _parsed(text)
    return lambda net: ChosenSubnet(net.space.decode(net.space.encode(arch)))


def _of_row(pareto: Path, row: int | None) -> Choose:
    """Chooses a row of a file. A row that is not there is refused at once, before weights are asked for.

    Raises:
        DataError: there is no such row, or none is named.
    """
    from hwnas.io import in_file, read_archs, read_csv

    if row is None:
        raise DataError(f"file {pareto}", "only one of its rows can be exported", "pass --row N")
    frame = read_csv(pareto)
    numbers = frame["row"].tolist() if "row" in frame.columns else list(range(1, len(frame) + 1))
    if row not in numbers:
        raise DataError(f"--row {row}", f"{pareto} has rows {numbers[0]} to {numbers[-1]}", "pick one of them")
    line = frame.iloc[[numbers.index(row)]]

    def choose(net: Supernet) -> ChosenSubnet:
        with in_file(pareto):
            arch = net.space.decode(read_archs(line, net.space)[0])
        return ChosenSubnet.of(arch, line.iloc[0], net.metric, f"{pareto}, row {row}")

    return choose


def _parsed(text: str) -> dict[str, Any]:
    """The arch in the JSON text of ``--arch``.

    Raises:
        DataError: the text is not a JSON object.
    """
    try:
        arch = json.loads(text)
    except ValueError as error:
        raise DataError(f"--arch {text[:60]}", f"it is not JSON ({error})", "quote it: --arch '{\"d\": ...}'") from None
    if not isinstance(arch, dict):
        raise DataError(f"--arch {text[:60]}", "it is not a JSON object", 'write {"ks": [...], ...}')
    return arch
