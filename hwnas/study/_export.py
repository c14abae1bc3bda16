"""Export subnets as ONNX files with their weights, checked against torch and, if asked for, timed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, NotHeldError
from hwnas.files import check_writable
from hwnas.metric import LATENCY, Metric
from hwnas.progress import notice
from hwnas.quantity import checked_name, count_of, format_bytes
from hwnas.study._chosen import ChosenSubnet
from hwnas.study._data import as_told, evaluation_data, noun_of, refuse_untrained, warn_broken
from hwnas.study._deploy import is_folder, model_file, write_deployed
from hwnas.study._export_settings import ExportSettings
from hwnas.study._facts import weights_hash
from hwnas.study._form import (
    by_slot,
    calibration_images,
    facts_of_form,
    form_of,
    least_agreement,
    tell_agreement,
    tell_precisions,
)
from hwnas.study._space import classes_of, table_of
from hwnas.study._timed_file import Clock
from hwnas.study._watched import Watched

if TYPE_CHECKING:
    from onnx import ModelProto

    from hwnas.study._front import Front
    from hwnas.supernet import Subnet, Supernet


def export(front: Front, row: int, path: Path, settings: ExportSettings) -> Path:
    """Write a row of a front as ONNX; see :meth:`Front.export`.

    Raises:
        NotHeldError: the file is written, but breaks the budget or agrees too little with fp32.
    """
    arch = front.arch(row)
    cells = front.frame.iloc[front.frame["row"].tolist().index(row)]
    place = f"{front.path or 'a front'}, row {row}"
    if not export_subnet(settings, front.facts, lambda net: ChosenSubnet.of(arch, cells, net.metric, place), path):
        raise NotHeldError(f"{path}", "it is written, but does not hold", "see the lines above")
    return path


def supernet_of(facts: Mapping[str, Any]) -> str:
    """The supernet that a provenance names.

    Raises:
        DataError: it names none.
    """
    from hwnas.space import get_space, space_names

    space = facts.get("space") or {}
    name = (facts.get("evaluator") or {}).get("supernet") or space.get("reference") or space.get("name")
    if table_of(facts) is not None or (name in space_names() and not get_space(name).slots):
        rule = "its space is a table, without networks"
        remedy = "export a front of a supernet, or build the network of its arch yourself"
        raise DataError(f"a front of {name}", rule, remedy)
    if not isinstance(name, str):
        raise DataError("supernet", "the front does not name its supernet", "pass --supernet NAME")
    return name


def export_subnet(
    settings: ExportSettings, found: Mapping[str, Any], choose: Callable[[Supernet], ChosenSubnet], path: Path
) -> bool:
    """Write a subnet; returns whether it meets its budget and the required agreement with fp32.

    Args:
        settings: how to export.
        found: the provenance of its front; may be empty.
        choose: chooses the subnet, given the supernet.
        path: a file that ends in ``.onnx``, or a folder.
    """
    from hwnas import __version__
    from hwnas.supernet import onnx_model, reference_kind

    s, name = settings, settings.supernet
    s.check()
    file = model_file(path)
    check_writable(file)
    form = form_of(s.precision, found)
    net = _opened(s, found).in_precision(form)
    metric = net.measures()
    clock = None
    if s.device is not None:
        clock = Clock.of(
            net.space, found, checked_name("device", s.device, "cpu"), threads=s.threads, batch=s.batch, precision=form
        )
    chosen = choose(net).with_weights_of(net, found)
    subnet, about, images = _with_weights(s, net, chosen, file)
    facts = {
        "supernet": reference_kind(name).whole or name,
        "space": net.space.name,
        "arch": json.dumps(chosen.arch),
        **about,
        "hwnas_version": __version__,
        "preprocessing": str(net.preprocessing or ""),
        "precision": form,
        **({"labels": json.dumps(net.labels)} if net.labels else {}),
    }
    least = least_agreement(s.agreement_pct, form, random_weights=s.random_weights, images=images is not None)
    batches = calibration_images(subnet, images, form) if form != "fp32" else None
    model, difference, kept, lossy = onnx_model(
        subnet, opset=s.opset, precision=form, batches=batches, least_agreement_pct=least
    )
    mixed = net.space.plain is not None
    if form != "fp32":
        measured_on = images if s.images is not None else None
        of_it = mixed and (measured_on is not None or chosen.is_of_precisions(found))
        facts = facts_of_form(form, facts, metric.column, model, subnet, measured_on, of_it=of_it)
    facts |= {"precisions": json.dumps(by_slot(subnet))} if mixed else {}
    facts |= {"agreement": str(kept)} if kept is not None else {}
    others = net.deployed_files(subnet) if is_folder(path) else {}
    write_deployed(model, {key: value for key, value in facts.items() if value}, others, path)
    notice(f"wrote {file}: {form}, {format_bytes(file.stat().st_size)}, opset {s.opset}, {_shown(model)}")
    if mixed:
        tell_precisions(by_slot(subnet))
    if others:
        notice(f"beside it: {', '.join(others)}")
    notice(f"logits differ from torch's{'' if form == 'fp32' else ' in fp32'} by at most {difference}")
    _tell_accuracy(metric, facts)
    agrees = True
    if kept is not None and least is not None:
        agrees = tell_agreement(form, kept, lossy, least)
    elif form != "fp32" and not s.random_weights:
        notice(f"the agreement of {form} with fp32 is not measured: pass --data FOLDER")
    if clock is None:
        return agrees
    searched_ms = (found.get("budgets") or {}).get(LATENCY.column)
    budget_ms = s.budget_ms if s.budget_ms is not None else searched_ms
    return clock.holds(file, net.space.encode(chosen.arch), budget_ms) and agrees


def _with_weights(
    settings: ExportSettings, net: Supernet, chosen: ChosenSubnet, file: Path
) -> tuple[Subnet, dict[str, str], Watched | None]:
    """The subnet with its weights; facts about weights and accuracy; and the images, if there are any."""
    if settings.random_weights:
        subnet = _random(net, chosen.arch)
        notice(f"{file} gets random weights: use it for latency checks only")
        return subnet, {"weights": "random, for latency checks only: accuracy is chance"}, None
    subnet, facts, images = _calibrated(settings, net, chosen)
    return subnet, {"weights": f"{net.origin} ({net.digest})", **facts}, images


def _opened(settings: ExportSettings, found: Mapping[str, Any]) -> Supernet:
    """The supernet with its weights and the metric of its front.

    Raises:
        UnknownNameError, SupernetError: there is no such supernet, its weights do not fit, or its head is new.
        DataError: the weights of the front are gone or have changed.
    """
    from hwnas.supernet import load_supernet, random_supernet

    name = settings.supernet
    if settings.random_weights:
        return random_supernet(name, settings.seed, classes_of(str((found.get("space") or {}).get("name"))))
    net = load_supernet(name, settings.checkpoint or _searched_weights(name, found))
    net = _measured_as(as_told(net, settings.columns), found)
    refuse_untrained(name, net, settings.data)
    return net


def _tell_accuracy(metric: Metric, facts: Mapping[str, str]) -> None:
    """Notify the user of the file's accuracy, and of that in fp32 if they differ."""
    if metric.column in facts:
        known = facts.get(f"{metric.column}_fp32")
        beside = f" (in fp32 {metric.text(float(known))})" if known is not None else ""
        shown = metric.text(float(facts[metric.column]))
        notice(f"{metric.label.lower()} {shown}{beside}, {facts[f'{metric.column}_source']}")


def _calibrated(
    settings: ExportSettings, net: Supernet, chosen: ChosenSubnet
) -> tuple[Subnet, dict[str, str], Watched | None]:
    """The subnet, re-calibrated if there are images; its accuracy and source; and the images."""
    from hwnas.supernet import brought_data, calibrated, measure_accuracy, reference_kind

    name, data, measure = settings.supernet, settings.data, settings.images is not None
    shown = data or reference_kind(name).whole or name
    options = {"images": 1 if settings.images is None else settings.images, "calibrate": settings.calibrate}
    encoded = net.space.encode(chosen.arch)
    if data is None and brought_data(net) is None:
        if measure:
            rule = "there are no images to measure accuracy on"
            raise DataError(f"images {settings.images}", rule, "pass --data FOLDER")
        subnet = net.extract(encoded)
        if not subnet.has_statistics:
            return subnet, chosen.facts(net.metric), None
        notice("no --data: batch norms are not re-calibrated, so the subnet's accuracy is lost (pass --data FOLDER)")
        facts = {"calibration": "none: the accuracy of this file is unknown, and likely poor"}
        return subnet, facts, None
    images, _ = evaluation_data(name, net, data, **options, batch_size=settings.batch_size, seed=settings.seed)
    watched = Watched(images, "re-calibrating batch norms")
    subnet, n_images = calibrated(net, encoded, watched)
    facts = {}
    if n_images:
        notice(f"batch norms re-calibrated on {count_of(n_images, 'image')}")
        facts = {"calibration": f"{n_images} images of {shown}"}
    if measure:
        accuracy, n_measured = measure_accuracy(subnet, watched.used_for("measuring accuracy"))
        if data is None and n_measured != settings.images:
            notice(f"{shown} brings its own data, and is measured on all {n_measured} {noun_of(images)}")
        source = f"measured on {n_measured} {noun_of(images)} of {shown}"
        facts |= {net.metric: f"{accuracy:.4f}", f"{net.metric}_source": source}
    else:
        facts |= chosen.facts(net.metric)
    warn_broken(images)
    return subnet, facts, watched


def _measured_as(net: Supernet, found: Mapping[str, Any]) -> Supernet:
    """The network, measured by the classification score of its front if that is not its own."""
    from hwnas.task import SCORES

    named = [name for name in found.get("objectives") or () if name in SCORES]
    return net.with_metric(named[0]) if len(named) == 1 and net.metric in SCORES else net


def _searched_weights(name: str, found: Mapping[str, Any]) -> Path | None:
    """The file of the weights that the front was searched with; None if its provenance names none.

    Raises:
        DataError: the file is gone, or has changed since.
    """
    from hwnas.supernet import checkpoint_file, reference_kind

    known = found.get("weights")
    if not known or name != supernet_of(found):
        return None
    path, own = Path(known["file"]), reference_kind(name).carries_weights
    if not checkpoint_file(path).exists():
        remedy = f"put it back, or pass --{'supernet' if own else 'checkpoint'} FILE"
        raise DataError(f"weights {path}", "the front was searched with them, and they are gone", remedy)
    if weights_hash(path) != known["sha256"]:
        rule = "the file has changed since the front was searched with it"
        raise DataError(f"weights {path}", rule, f"pass --checkpoint {path} to export them all the same")
    return path if not own or path != reference_kind(name).weights(name) else None


def _random(net: Supernet, arch: Mapping[str, Any]) -> Subnet:
    """A subnet with random weights, calibrated so that its activations have ordinary size: denormal numbers are slow."""
    import torch

    from hwnas.supernet import recalibrate

    subnet = net.extract(net.space.encode(arch))
    if not subnet.has_statistics:
        return subnet
    generator = torch.Generator().manual_seed(0)
    recalibrate(subnet, [torch.randn(2, *subnet.input_shape, generator=generator)])
    return subnet


def _shown(model: ModelProto) -> str:
    """The inputs and their shapes: ``input Nx3x224x224``, ``input_ids Nxlength``. Numbered inputs are summarised."""
    alike: dict[str, list[str]] = {}
    for value in model.graph.input:
        shape = "x".join(str(d.dim_param or d.dim_value) for d in value.type.tensor_type.shape.dim)
        alike.setdefault(re.sub(r"\d+", "", value.name), []).append(f"{value.name} {shape}")
    return ", ".join(f"{first} and {len(more)} like it" if more else first for first, *more in alike.values())
