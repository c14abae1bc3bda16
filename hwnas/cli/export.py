"""``hwnas export``: one subnet as ONNX, with its weights."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli._options import Seed, TableBatch, TablePrecision, TableThreads
from hwnas.cli._supernet import BatchSize, Calibrate, Checkpoint, DataFolder
from hwnas.errors import DataError, UnknownNameError
from hwnas.files import check_writable
from hwnas.metric import LATENCY, get_metric
from hwnas.progress import notice
from hwnas.quantity import parse_latency_ms
from hwnas.study._data import evaluation_data, parse_arch, say_broken
from hwnas.study._measuring import find_bench, off_speed

if TYPE_CHECKING:
    from onnx import ModelProto

    from hwnas.space import SearchSpace
    from hwnas.study._measuring import Bench
    from hwnas.supernet import Agreement, Batches, Blamed, Subnet, Supernet
    from hwnas.task import Task

RANDOM_IMAGES = 8

AGREEMENT_PCT = 95.0
"""Share of images that a file in another precision must decide as fp32 does, in percent."""


def export(
    pareto: Annotated[
        Path | None, typer.Argument(help="CSV of subnets, as search or evaluate writes it.", metavar="[PARETO.csv]")
    ] = None,
    row: Annotated[int | None, typer.Option("--row", help="Which of its rows.", min=1, metavar="N")] = None,
    arch: Annotated[str | None, typer.Option("--arch", help="Or the subnet itself, as JSON.", metavar="JSON")] = None,
    supernet: Annotated[
        str | None,
        typer.Option("--supernet", help="By default the one whose space was searched.", metavar="NAME"),
    ] = None,
    checkpoint: Checkpoint = None,
    data: DataFolder = None,
    images: Annotated[
        int | None, typer.Option("--images", help="Measure accuracy on so many images too.", min=1, metavar="N")
    ] = None,
    calibrate: Calibrate = 2000,
    batch_size: BatchSize = 100,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="No checkpoint: for latency checks only, marked as such.")
    ] = False,
    precision: TablePrecision = None,
    agreement: Annotated[
        float | None,
        typer.Option(
            "--agreement",
            help=f"Share of images that int8 must decide as fp32 does, in percent. [default: {AGREEMENT_PCT:g}]",
            min=0,
            max=100,
            metavar="PERCENT",
        ),
    ] = None,
    opset: Annotated[int, typer.Option("--opset", help="ONNX operator set.", min=14, max=21)] = 17,
    device: Annotated[
        str | None,
        typer.Option("--device", help="Measure the file there, against the budget: cpu, cuda:0.", metavar="NAME"),
    ] = None,
    threads: TableThreads = None,
    batch: TableBatch = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Latency budget; default: the search's.", metavar="TIME")
    ] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option("--out", help="ONNX file to write.", metavar="FILE")] = Path("subnet.onnx"),
) -> None:
    """Write a subnet as ONNX (dynamic batch, batch norms folded), checked against torch.

    It is fp32, or what --precision says, or else of the device that was searched for. int8 and fp16 are compared with fp32
    on the calibration images. With --device the file is measured. Exit code 1 if less agrees than --agreement, or the
    budget breaks.

    Example: hwnas export pareto.csv --row 3 --data imagenet --out model.onnx
    """
    from hwnas.report import read_provenance
    from hwnas.supernet import load_supernet, onnx_model, save_onnx

    if random_weights and checkpoint is not None:
        raise DataError("--random-weights", "there is a checkpoint too", "drop one of them")
    check_writable(out)
    budget_ms = parse_latency_ms(budget, "--budget") if budget is not None else None
    if budget is not None and device is None:
        raise DataError("--budget", "nothing is measured without a device", "pass --device cpu")
    name = supernet or _searched(pareto)
    found = read_provenance(pareto) if pareto is not None else {}
    form = _form(precision, found)
    net = _random_supernet(name, found, seed) if random_weights else load_supernet(name, checkpoint)
    metric = get_metric(net.metric)
    bench = None
    if device is not None:
        bench = find_bench(net.space, found, device, threads=threads, batch=batch, precision=form)
    chosen = _chosen(net.space, metric.column, pareto, row, arch)
    facts = {"supernet": name, "space": net.space.name, "arch": json.dumps(chosen.arch)}
    if random_weights:
        subnet, images_of_it = _random(net, chosen.arch), None
        facts |= {"weights": "random, for latency checks only: accuracy is chance"}
        notice(f"{out} gets random weights: use it for latency checks only")
    else:
        facts["weights"] = f"{net.origin} ({net.digest})"
        options = {"images": images or 1, "calibrate": calibrate, "batch_size": batch_size, "seed": seed}
        subnet, measured, images_of_it = _calibrated(name, net, chosen, data, options, measure=images is not None)
        facts |= measured
    from hwnas import __version__

    facts |= {"hwnas_version": __version__, "preprocessing": net.preprocessing, "precision": form}
    facts |= {"labels": json.dumps(net.labels)} if net.labels else {}
    least = _least_agreement(agreement, form, random_weights=random_weights, images=images_of_it is not None)
    batches = _calibration_images(subnet, images_of_it) if form != "fp32" else None
    found_model = onnx_model(subnet, opset=opset, precision=form, batches=batches, least_agreement_pct=least)
    model, difference, kept, lossy = found_model
    if form != "fp32":
        measured_on = images_of_it if images is not None else None
        facts = _of_form(form, facts, metric.column, model, subnet, measured_on)
    facts |= {"agreement": str(kept)} if kept is not None else {}
    save_onnx(model, out, {key: value for key, value in facts.items() if value})
    size = f"{out.stat().st_size / 1e6:.1f} MB"
    notice(f"wrote {out}: {form}, {size}, opset {opset}, input {_shown(subnet.input_shape)}")
    notice(f"logits differ from torch's by at most {difference}")
    if metric.column in facts:
        known = facts.get(f"{metric.column}_fp32")
        beside = f" (in fp32 {metric.text(float(known))})" if known is not None else ""
        shown = metric.text(float(facts[metric.column]))
        notice(f"{metric.label.lower()} {shown}{beside}, {facts[f'{metric.column}_source']}")
    holds = kept is None or kept.share_pct >= least
    if kept is not None:
        _tell_agreement(form, kept, lossy, least)
    if bench is not None:
        budget_ms = budget_ms if budget_ms is not None else (found.get("budgets") or {}).get(LATENCY.column)
        holds &= _timed(bench, net.space, out, budget_ms)
    raise typer.Exit(0 if holds else 1)


def _timed(bench: Bench, space: SearchSpace, path: Path, budget_ms: float | None) -> bool:
    """Measure the file and say how it does; whether it holds the budget."""
    from hwnas.latency import measure_file

    anchor = bench.table.anchor(space) if bench.table is not None else None
    found = measure_file(bench.device, path, anchor=anchor)
    holds = budget_ms is None or found.median_ms <= budget_ms
    verdict = "" if budget_ms is None else f": {'holds' if holds else 'BREAKS'} the budget of {budget_ms:g} ms"
    notice(f"{path} takes {found.median_ms:.3g} ms (p95 {found.p95_ms:.3g} ms) on {bench.device.id}{verdict}")
    if found.at_table_speed_ms is not None and found.speed_pct is not None and off_speed(found.speed_pct):
        at_speed = f"{found.at_table_speed_ms:.3g} ms at the speed of latency table {bench.table and bench.table.name}"
        notice(f"that is {at_speed}, of which this machine runs at {found.speed_pct:.0f} % now")
    return holds


@dataclass(frozen=True)
class _Chosen:
    """The subnet to export, and what its CSV says of its accuracy."""

    arch: dict[str, Any]
    accuracy: float | None = None
    source: str = ""


def _chosen(space: SearchSpace, metric: str, pareto: Path | None, row: int | None, arch: str | None) -> _Chosen:
    from hwnas.io import read_archs, read_csv

    if (pareto is None) == (arch is None):
        raise DataError("the subnet", "it is a row of a CSV or an arch", "pass PARETO.csv --row N, or --arch JSON")
    if arch is not None:
        return _Chosen(space.decode(space.encode(parse_arch(arch))))
    if row is None:
        raise DataError(f"file {pareto}", "one of its rows is exported", "pass --row N")
    frame = read_csv(pareto or Path())
    numbers = frame["row"].tolist() if "row" in frame.columns else list(range(1, len(frame) + 1))
    if row not in numbers:
        raise DataError(f"--row {row}", f"{pareto} has rows {numbers[0]} to {numbers[-1]}", "pick one of them")
    line = frame.iloc[[numbers.index(row)]]
    found = space.decode(read_archs(line, space)[0])
    if metric not in line.columns:
        return _Chosen(found)
    cells = line.iloc[0]
    source = f"measured on {cells['n_images']} images" if "n_images" in line.columns else "predicted"
    source = str(cells.get(f"{metric}_source", source))
    return _Chosen(found, float(cells[metric]), f"{source} ({pareto}, row {row})")


def _searched(pareto: Path | None) -> str:
    """The space that the provenance beside a CSV names."""
    from hwnas.report import read_provenance

    facts = read_provenance(pareto) if pareto is not None else {}
    name = (facts.get("evaluator") or {}).get("supernet") or (facts.get("space") or {}).get("name")
    if not isinstance(name, str):
        raise DataError("--supernet", "nothing tells which supernet the subnet is of", "pass --supernet NAME")
    return name


def _calibrated(
    name: str, net: Supernet, chosen: _Chosen, data: Path | None, options: dict[str, int], *, measure: bool
) -> tuple[Subnet, dict[str, str], Task | None]:
    """The subnet, re-calibrated where there are images; its accuracy with its source; the images."""
    from hwnas.supernet import calibrated, measure_accuracy

    encoded = net.space.encode(chosen.arch)
    if data is None and net.data() is None:
        if measure:
            raise DataError("--images", "there are no images to measure accuracy on", "pass --data FOLDER")
        notice("no --data: batch norms are not re-calibrated, so the subnet's accuracy is lost (pass --data FOLDER)")
        facts = {"calibration": "none: the accuracy of this file is unknown, and likely poor"}
        return net.extract(encoded), facts, None
    images, _ = evaluation_data(name, net, data, **options)
    subnet, n_images = calibrated(net, encoded, images)
    notice(f"batch norms re-calibrated on {n_images:,} images")
    facts = {"calibration": f"{n_images} images of {data or name}"}
    if measure:
        accuracy, n_measured = measure_accuracy(subnet, images)
        source = f"measured on {n_measured} images of {data or name}"
        facts |= {net.metric: f"{accuracy:.4f}", f"{net.metric}_source": source}
    elif chosen.accuracy is not None:
        facts |= {net.metric: f"{chosen.accuracy:.4f}", f"{net.metric}_source": chosen.source}
    say_broken(images)
    return subnet, facts, images


def _form(precision: str | None, found: Mapping[str, Any]) -> str:
    """The precision that is asked for, or that was searched for.

    Raises:
        UnknownNameError: there is no such precision; suggests the nearest.
    """
    from hwnas.graph import PRECISIONS

    searched = ((found.get("device") or {}).get("conditions") or {}).get("precision")
    form = precision or searched or "fp32"
    if form not in PRECISIONS:
        raise UnknownNameError("precision", form, PRECISIONS)
    return str(form)


def _calibration_images(subnet: Subnet, images: Task | None) -> Batches:
    """Images that show the ranges of activations; random ones, with a word, where there are none."""
    import torch

    if images is not None:
        return lambda: images.calibration(subnet.inputs)
    notice("int8 ranges are of random inputs: use this file for latency checks only")
    random = [torch.randn(RANDOM_IMAGES, *subnet.input_shape, generator=torch.Generator().manual_seed(0))]
    return lambda: random


def _least_agreement(asked: float | None, form: str, *, random_weights: bool, images: bool) -> float:
    """The agreement that is asked of a file; 0 where random weights or inputs decide nothing worth agreeing on.

    Raises:
        DataError: it is asked for where there is nothing to compare.
    """
    if form == "fp32" or random_weights or not images:
        if asked is not None:
            rule = "it compares int8 or fp16 with fp32, with trained weights and on images"
            raise DataError(f"--agreement {asked:g}", rule, "pass --precision int8, a checkpoint and --data FOLDER")
        return 0.0
    return AGREEMENT_PCT if asked is None else asked


def _tell_agreement(form: str, kept: Agreement, lossy: Sequence[Blamed], least: float) -> None:
    """What is left of fp32's decisions, and which layers cost most if that is too little."""
    if least == 0:
        notice(f"{form} against fp32: {kept}; of random weights or inputs, which tells nothing of a trained network")
        return
    notice(f"{form} against fp32: {kept}" + ("" if kept.share_pct >= least else f": BELOW {least:g} %"))
    if lossy:
        notice(f"layers that lose most in {form}: {', '.join(str(blamed) for blamed in lossy)}")


def _of_form(
    form: str, facts: dict[str, str], metric: str, model: ModelProto, subnet: Subnet, images: Task | None
) -> dict[str, str]:
    """The facts of a network in another precision: what is known of its accuracy is of fp32, unless it is measured."""
    from hwnas.supernet import onnx_accuracy

    known = facts.pop(metric, None)
    source = facts.pop(f"{metric}_source", "")
    if form == "int8" and "calibration" not in facts:
        facts["calibration"] = "random inputs"
    if known is None:
        return facts
    facts[f"{metric}_fp32"] = known
    if images is None:
        return facts | {f"{metric}_fp32_source": source}
    accuracy, _ = onnx_accuracy(model, images, subnet.inputs)
    return facts | {metric: f"{accuracy:.4f}", f"{metric}_source": f"{source}, as {form} by onnxruntime"}


def _random_supernet(name: str, found: Mapping[str, Any], seed: int) -> Supernet:
    """The supernet with random weights, and as many classes as the space has that was searched or is named."""
    from hwnas.space import classes_named, with_classes
    from hwnas.supernet import get_supernet

    family = get_supernet(name)
    space = family.search_space()
    derived = classes_named(name) or classes_named(str((found.get("space") or {}).get("name")))
    return family.random(seed, with_classes(space, derived[1]) if derived else space)


def _random(net: Supernet, arch: dict[str, Any]) -> Subnet:
    """A subnet with random weights whose activations are of ordinary size: denormal numbers would be slow."""
    import torch

    from hwnas.supernet import recalibrate

    subnet = net.extract(net.space.encode(arch))
    generator = torch.Generator().manual_seed(0)
    recalibrate(subnet, [torch.randn(2, *subnet.input_shape, generator=generator)])
    return subnet


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(["N", *(str(size) for size in shape)])
