"""The subnet of an export with its weights: re-calibrated and measured, or random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError
from hwnas.progress import notice
from hwnas.study._chosen import ChosenSubnet, Known
from hwnas.study._data import evaluation_data, noun_of, warn_broken
from hwnas.study._export_settings import ExportSettings
from hwnas.study._watched import Watched
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.supernet import Subnet, Supernet


@dataclass(frozen=True)
class Weighted:
    """A subnet with its weights.

    Attributes:
        subnet: the subnet.
        facts: where its weights and its calibration are from.
        accuracy: its accuracy in torch; None if unknown.
        images: the samples to calibrate and measure with, if there are any.
    """

    subnet: Subnet
    facts: Mapping[str, str]
    accuracy: Known | None = None
    images: Watched | None = None


def with_weights(settings: ExportSettings, net: Supernet, chosen: ChosenSubnet, file: Path) -> Weighted:
    """The subnet that was chosen, with the weights that the settings ask for.

    Raises:
        DataError: there are no images to measure accuracy on, or they do not fit.
    """
    if settings.random_weights:
        notice(f"{file} gets random weights: use it for latency checks only")
        return Weighted(_random(net, chosen.arch), {"weights": "random, for latency checks only: accuracy is chance"})
    found = _calibrated(settings, net, chosen)
    return replace(found, facts={"weights": f"{net.origin} ({net.digest})", **found.facts})


def _calibrated(settings: ExportSettings, net: Supernet, chosen: ChosenSubnet) -> Weighted:
    """The subnet, re-calibrated and measured if there are images."""
    from hwnas.supernet import brought_data, calibrated, measure_accuracy, reference_kind
    from hwnas.task import Sampling

    name, data, measure = settings.supernet, settings.data, settings.images is not None
    shown = data or reference_kind(name).whole or name
    encoded = net.space.encode(chosen.arch)
    if data is None and brought_data(net) is None:
        if measure:
            rule = "there are no images to measure accuracy on"
            raise DataError(f"images {settings.images}", rule, "pass --data FOLDER")
        subnet = net.extract(encoded)
        if not subnet.has_statistics:
            return Weighted(subnet, {}, chosen.accuracy)
        notice("no --data: batch norms are not re-calibrated, so the subnet's accuracy is lost (pass --data FOLDER)")
        return Weighted(subnet, {"calibration": "none: the accuracy of this file is unknown, and likely poor"})
    n_validation = settings.images if settings.images is not None else 1
    sampling = Sampling(n_validation, settings.calibrate, settings.batch_size, settings.seed)
    images, _ = evaluation_data(name, net, data, sampling)
    watched = Watched(images, "re-calibrating batch norms")
    subnet, n_images = calibrated(net, encoded, watched)
    facts, accuracy = {}, chosen.accuracy
    if n_images:
        notice(f"batch norms re-calibrated on {count_of(n_images, 'image')}")
        facts = {"calibration": f"{n_images} images of {shown}"}
    if measure:
        value, n_measured = measure_accuracy(subnet, watched.used_for("measuring accuracy"))
        if data is None and n_measured != settings.images:
            notice(f"{shown} brings its own data, and is measured on all {n_measured} {noun_of(images)}")
        accuracy = Known(value, f"measured on {n_measured} {noun_of(images)} of {shown}")
    warn_broken(images)
    return Weighted(subnet, facts, accuracy, watched)


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
