"""The precision of an exported file, and its agreement with fp32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.progress import notice
from hwnas.study._chosen import Known
from hwnas.study._provenance import Provenance

if TYPE_CHECKING:
    from onnx import ModelProto

    from hwnas.study._watched import Watched
    from hwnas.supernet import Agreement, Batches, Blamed, Subnet

RANDOM_IMAGES = 8

AGREEMENT_PCT = 95.0
"""Share of images, in percent, on which a file in another precision must agree with fp32."""


def form_of(precision: str | None, provenance: Provenance) -> str:
    """The precision of the file: the one asked for, or that of the search. It is ``fp32+int8`` if layers have their own.

    Raises:
        UnknownNameError: there is no such precision; the message suggests the nearest.
        DataError: one precision is asked for, but the front's layers have their own.
    """
    from hwnas.graph import parse_precision
    from hwnas.space import precisions_named

    _, own = precisions_named(provenance.space.name)
    searched = "+".join(own) or (provenance.device or {}).get("precision") or provenance.others.get("precision")
    form = parse_precision(str(precision or searched or "fp32"))
    if own and form != searched:
        rule = "each layer of this front has a precision of its own"
        raise DataError(f"precision {precision}", rule, "drop --precision")
    return form


def by_slot(subnet: Subnet) -> dict[str, str]:
    """The precision of each layer of a subnet, by slot, without conversions."""
    from hwnas.space.ops import Convert

    return {
        slot: layer.precision
        for slot, layer in subnet.network
        if layer.precision is not None and not isinstance(layer.ops[0], Convert)
    }


def tell_precisions(by_slot: Mapping[str, str]) -> None:
    """Report one line per precision with the layers that compute in it, as :func:`by_slot` gives them."""
    for precision in dict.fromkeys(by_slot.values()):
        slots = [slot for slot, own in by_slot.items() if own == precision]
        notice(f"{precision}, {len(slots)} of {len(by_slot)} layers: {', '.join(slots)}")


def calibration_images(subnet: Subnet, images: Watched | None, form: str) -> Batches:
    """Batches to find the ranges of activations and to compare precisions on. Without images they are random."""
    import torch

    from hwnas.graph import random_feeds
    from hwnas.supernet import needs_ranges

    if images is not None:
        compared = images.used_for(f"{form} beside fp32")
        return lambda: compared.calibration(subnet.inputs)
    if needs_ranges(subnet):
        notice("int8 ranges come from random inputs: use this file for latency checks only")
    drawn = random_feeds(subnet.network, RANDOM_IMAGES)
    random = [{name: torch.from_numpy(array) for name, array in drawn.items()}]
    return lambda: random


def least_agreement(asked: float | None, form: str, *, random_weights: bool, images: bool) -> float | None:
    """The least agreement that a file must have, in percent; None with random weights or inputs, which decide at random.

    Raises:
        DataError: an agreement is asked for, but there is nothing to compare.
    """
    if form == "fp32" or random_weights or not images:
        if asked is not None:
            rule = "it compares int8 or fp16 with fp32, with trained weights and on images"
            raise DataError(f"agreement {asked:g}", rule, "pass --precision int8, a checkpoint and --data FOLDER")
        return None
    return AGREEMENT_PCT if asked is None else asked


def tell_agreement(form: str, kept: Agreement, lossy: Sequence[Blamed], least: float) -> bool:
    """Notify the user of the agreement with fp32, and of the layers that lose most; returns whether it is high enough."""
    agrees = kept.share_pct >= least
    notice(f"{form} against fp32: {kept}" + ("" if agrees else f": BELOW {least:g} %"))
    if lossy:
        notice(f"layers that lose most in {form}: {', '.join(str(blamed) for blamed in lossy)}")
    return agrees


def accuracy_in(
    form: str, in_fp32: Known | None, model: ModelProto, subnet: Subnet, images: Watched | None
) -> Known | None:
    """The accuracy of a network in another precision than fp32, on the samples of ``in_fp32``; None if it is not measured."""
    from hwnas.supernet import onnx_accuracy

    if in_fp32 is None or images is None:
        return None
    value, _ = onnx_accuracy(model, images.used_for(f"measuring accuracy in {form}"), subnet.inputs)
    return Known(value, f"{in_fp32.source}, as {form} by onnxruntime")
