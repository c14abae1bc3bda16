"""Export subnets as ONNX files with their weights, checked against torch and, if asked for, timed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.arguments import checked_name
from hwnas.errors import DataError, NotHeldError
from hwnas.files import check_writable
from hwnas.metric import LATENCY, Metric
from hwnas.progress import notice
from hwnas.quantity import format_bytes
from hwnas.study._chosen import ChosenSubnet, Known
from hwnas.study._data import as_told, noun_of, refuse_untrained
from hwnas.study._deploy import is_folder, model_file, write_deployed
from hwnas.study._export_settings import ExportSettings
from hwnas.study._facts import weights_hash
from hwnas.study._file_precision import (
    accuracy_in,
    by_slot,
    calibration_images,
    form_of,
    least_agreement,
    tell_agreement,
    tell_precisions,
)
from hwnas.study._provenance import Provenance
from hwnas.study._space import classes_of, table_of
from hwnas.study._timed_file import Clock
from hwnas.study._weighted import Weighted, with_weights

if TYPE_CHECKING:
    from onnx import ModelProto

    from hwnas.study._front import Front
    from hwnas.supernet import Supernet


def export(front: Front, row: int, path: Path, settings: ExportSettings) -> Path:
    """Write a row of a front as ONNX; see :meth:`Front.export`.

    Raises:
        NotHeldError: the file is written, but breaks the budget or agrees too little with fp32.
    """
    arch = front.arch(row)
    cells = front.frame.iloc[front.frame["row"].tolist().index(row)]
    place = f"{front.path or 'a front'}, row {row}"
    if not export_subnet(settings, front.provenance, lambda net: ChosenSubnet.of(arch, cells, net.metric, place), path):
        raise NotHeldError(f"{path}", "it is written, but does not hold", "see the lines above")
    return path


def supernet_of(provenance: Provenance) -> str:
    """The supernet that a provenance names.

    Raises:
        DataError: it names none.
    """
    from hwnas.space import get_space, space_names

    space = provenance.space
    name = (provenance.evaluator or {}).get("supernet") or space.reference or space.name
    if table_of(provenance) is not None or (name in space_names() and not get_space(name).slots):
        rule = "its space is a table, without networks"
        remedy = "export a front of a supernet, or build the network of its arch yourself"
        raise DataError(f"a front of {name}", rule, remedy)
    if not isinstance(name, str) or not name:
        raise DataError("supernet", "the front does not name its supernet", "pass --supernet NAME")
    return name


def export_subnet(
    settings: ExportSettings, provenance: Provenance, choose: Callable[[Supernet], ChosenSubnet], path: Path
) -> bool:
    """Write a subnet; returns whether it meets its budget and the required agreement with fp32.

    Args:
        settings: how to export.
        provenance: that of its front; may be empty.
        choose: chooses the subnet, given the supernet.
        path: a file that ends in ``.onnx``, or a folder.
    """
    from hwnas.supernet import onnx_model

    settings.check()
    file = model_file(path)
    check_writable(file)
    form = form_of(settings.conditions.precision, provenance)
    net = _opened(settings, provenance).in_precision(form)
    clock = _clock(settings, net, provenance, form)  # an unknown device is refused before the work
    chosen = choose(net).with_weights_of(net, provenance)
    weighted = with_weights(settings, net, chosen, file)
    subnet, images = weighted.subnet, weighted.images
    least = least_agreement(
        settings.agreement_pct, form, random_weights=settings.random_weights, images=images is not None
    )
    batches = calibration_images(subnet, images, form) if form != "fp32" else None
    model, difference, agreement, lossy = onnx_model(
        subnet, opset=settings.opset, precision=form, batches=batches, least_agreement_pct=least
    )
    mixed = net.space.plain is not None
    measured_on = images if settings.images is not None else None
    holds = form == "fp32" or (mixed and (measured_on is not None or chosen.is_of_precisions(provenance)))
    in_fp32 = None if holds else weighted.accuracy
    accuracy = weighted.accuracy if holds else accuracy_in(form, in_fp32, model, subnet, measured_on)
    facts = {**_facts(settings, net, chosen, form, weighted), **_accuracy_facts(net.metric, accuracy, in_fp32)}
    facts |= {"precisions": json.dumps(by_slot(subnet))} if mixed else {}
    facts |= {"agreement": str(agreement)} if agreement is not None else {}
    others = net.deployed_files(subnet) if is_folder(path) else {}
    write_deployed(model, {key: value for key, value in facts.items() if value}, others, path)
    notice(f"wrote {file}: {form}, {format_bytes(file.stat().st_size)}, opset {settings.opset}, {_shown(model)}")
    if mixed:
        tell_precisions(by_slot(subnet))
    if others:
        notice(f"beside it: {', '.join(others)}")
    notice(f"logits differ from torch's{'' if form == 'fp32' else ' in fp32'} by at most {difference}")
    _tell_accuracy(net.measures(), accuracy, in_fp32)
    agrees = True
    if agreement is not None and least is not None:
        agrees = tell_agreement(form, agreement, lossy, least)
    elif form != "fp32" and not settings.random_weights:
        notice(f"the agreement of {form} with fp32 is not measured: pass --data FOLDER")
    if clock is None:
        return agrees
    budget_ms = settings.budget_ms if settings.budget_ms is not None else provenance.budgets.get(LATENCY.column)
    return clock.holds(file, net.space.encode(chosen.arch), budget_ms) and agrees


def _clock(settings: ExportSettings, net: Supernet, provenance: Provenance, form: str) -> Clock | None:
    """Where and how to time the file; None if it is not to be timed."""
    if settings.device is None:
        return None
    device = checked_name("device", settings.device, "cpu")
    return Clock.of(net.space, provenance, device, replace(settings.conditions, precision=form))


def _facts(
    settings: ExportSettings, net: Supernet, chosen: ChosenSubnet, form: str, weighted: Weighted
) -> dict[str, str]:
    """Facts about a file, to store in it."""
    from hwnas import __version__
    from hwnas.graph import precision_parts
    from hwnas.supernet import needs_ranges, reference_kind

    facts = {
        "supernet": reference_kind(settings.supernet).whole or settings.supernet,
        "space": net.space.name,
        "arch": json.dumps(chosen.arch),
        **weighted.facts,
        "hwnas_version": __version__,
        "preprocessing": str(net.preprocessing or ""),
        "precision": form,
        **({"labels": json.dumps(net.labels)} if net.labels else {}),
    }
    if "int8" in precision_parts(form) and "calibration" not in facts and needs_ranges(weighted.subnet):
        images, shown = weighted.images, settings.data or facts["supernet"]
        seen = f"{images.n_calibration} {noun_of(images.task)} of {shown}" if images is not None else "random inputs"
        facts["calibration"] = seen
    return facts


def _accuracy_facts(metric: str, accuracy: Known | None, in_fp32: Known | None) -> dict[str, str]:
    """Facts about the accuracy of a file, and about that in fp32 if they differ."""
    facts = accuracy.facts(metric) if accuracy is not None else {}
    if in_fp32 is None:
        return facts
    plain = in_fp32.facts(f"{metric}_fp32")
    if accuracy is not None:  # both are from the same samples
        del plain[f"{metric}_fp32_source"]
    return plain | facts


def _opened(settings: ExportSettings, provenance: Provenance) -> Supernet:
    """The supernet with its weights and the metric of its front.

    Raises:
        UnknownNameError, SupernetError: there is no such supernet, its weights do not fit, or its head is new.
        DataError: the weights of the front are not here or have changed.
    """
    from hwnas.supernet import load_supernet, random_supernet

    name = settings.supernet
    if settings.random_weights:
        return random_supernet(name, settings.seed, classes_of(provenance.space.name))
    net = load_supernet(name, settings.checkpoint or _searched_weights(name, provenance))
    net = _measured_as(as_told(net, settings.columns), provenance)
    refuse_untrained(name, net, settings.data)
    return net


def _tell_accuracy(metric: Metric, accuracy: Known | None, in_fp32: Known | None) -> None:
    """Notify the user of the file's accuracy, and of that in fp32 if they differ."""
    if accuracy is not None:
        beside = f" (in fp32 {metric.text(in_fp32.value)})" if in_fp32 is not None else ""
        notice(f"{metric.label.lower()} {metric.text(accuracy.value)}{beside}, {accuracy.source}")


def _measured_as(net: Supernet, provenance: Provenance) -> Supernet:
    """The network, measured by the classification score of its front if that is not its own."""
    from hwnas.task import SCORES

    named = [name for name in provenance.objectives if name in SCORES]
    return net.with_metric(named[0]) if len(named) == 1 and net.metric in SCORES else net


def _searched_weights(name: str, provenance: Provenance) -> Path | None:
    """The file of the weights that the front was searched with; None if its provenance names none.

    Raises:
        DataError: the file is gone, or has changed since.
    """
    from hwnas.supernet import checkpoint_file, reference_kind

    known = provenance.weights
    if not known or name != supernet_of(provenance):
        return None
    path, own = Path(known["file"]), reference_kind(name).carries_weights
    if not checkpoint_file(path).exists():
        remedy = f"run the command where the search ran, or pass --{'supernet' if own else 'checkpoint'} FILE"
        raise DataError(f"weights {path}", "the front was searched with them, and they are not here", remedy)
    if weights_hash(path) != known["sha256"]:
        rule = "the file has changed since the front was searched with it"
        raise DataError(f"weights {path}", rule, f"pass --checkpoint {path} to export them all the same")
    return path if not own or path != reference_kind(name).weights() else None


def _shown(model: ModelProto) -> str:
    """The inputs and their shapes: ``input Nx3x224x224``, ``input_ids Nxlength``. Numbered inputs are summarised."""
    alike: dict[str, list[str]] = {}
    for value in model.graph.input:
        shape = "x".join(str(d.dim_param or d.dim_value) for d in value.type.tensor_type.shape.dim)
        alike.setdefault(re.sub(r"\d+", "", value.name), []).append(f"{value.name} {shape}")
    return ", ".join(f"{first} and {len(more)} like it" if more else first for first, *more in alike.values())
