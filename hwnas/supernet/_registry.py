"""Supernets by name: built-in, from plug-ins, or the user's own class."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import entry_points
from pathlib import Path

from hwnas.errors import SupernetError, UnknownNameError
from hwnas.metric import Metric
from hwnas.plugin import load_entry, one_line_errors
from hwnas.progress import notice
from hwnas.space import classes_named, with_classes
from hwnas.supernet._base import Supernet
from hwnas.supernet._checkpoint import Misfit
from hwnas.supernet._download import PUBLISHED
from hwnas.supernet._family import family_space
from hwnas.supernet._header import described, labels_of, metric_of
from hwnas.supernet._reference import ReferenceKind, reference_kind
from hwnas.supernet.digits import Digits
from hwnas.supernet.ofa import OFAMobileNetV3W10, OFAMobileNetV3W12, OFAProxylessW13, OFAResNet50

_SUPERNETS: dict[str, type[Supernet]] = {
    "ofa_mbv3_w1.0": OFAMobileNetV3W10,
    "ofa_mbv3_w1.2": OFAMobileNetV3W12,
    "ofa_proxyless_w1.3": OFAProxylessW13,
    "ofa_resnet50": OFAResNet50,
    "digits": Digits,
}


def supernet_names() -> list[str]:
    """Names of the built-in supernets, then those that plug-ins register under ``hwnas.supernets``."""
    return [*_SUPERNETS, *(e.name for e in entry_points(group="hwnas.supernets") if e.name not in _SUPERNETS)]


def get_supernet(reference: str) -> type[Supernet]:
    """The class of a supernet, by any reference of ``hwnas.supernet.KINDS``.

    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
        SupernetError: it cannot be loaded, or is no Supernet.
    """
    return reference_kind(reference).supernet()


def registered_supernet(name: str) -> type[Supernet]:
    """The class registered as ``name``; for ``digits-c7`` the class of ``digits``.

    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
        SupernetError: a plug-in does not load, or is no Supernet.
    """
    if name in _SUPERNETS:
        return _SUPERNETS[name]
    found = load_entry("hwnas.supernets", name, "supernet", SupernetError)
    if found is not None:
        return checked_class(name, found)
    base, classes = classes_named(name)
    if classes is not None:
        return registered_supernet(base)
    raise UnknownNameError("supernet", name, supernet_names())


def checked_class(reference: str, found: object) -> type[Supernet]:
    """The class that a plug-in registers, checked.

    Raises:
        SupernetError: it is no Supernet, or does not state its space.
    """
    if not (isinstance(found, type) and issubclass(found, Supernet)):
        rule = "it is not a subclass of hwnas.supernet.Supernet"
        raise SupernetError(f"supernet {reference!r}", rule, "derive it from that")
    family_space(found)
    return found


def load_supernet(reference: str, checkpoint: str | Path | None = None) -> Supernet:
    """The supernet of a reference, with the weights of ``checkpoint`` or else the reference's own.

    Args:
        reference: see :func:`get_supernet`.
        checkpoint: a file, or ``FILE:PART`` if it holds several networks.

    Raises:
        SupernetError: there is no checkpoint, or it does not fit; names a supernet that it fits.
    """
    kind = reference_kind(reference)
    if kind.whole is not None:
        return _part(kind, load_supernet(kind.whole, checkpoint))
    family = kind.supernet()
    path = checkpoint or kind.weights()
    if path is None:
        download = f"run hwnas download {reference}, or " if reference in PUBLISHED else ""
        rule = "its weights are not on this machine"
        raise SupernetError(f"supernet {reference!r}", rule, f"{download}pass --checkpoint FILE")
    try:
        with _one_line_errors(reference, family):
            net = family.from_checkpoint(path)
    except Misfit as error:
        others = [other for other, it in _SUPERNETS.items() if it is not family and _fits(it, path)]
        if not others:
            raise
        raise Misfit(error.value, error.rule, f"it fits {others[0]}: pass --supernet {others[0]}") from None
    base, classes = classes_named(reference)
    if classes not in (None, net.classes) and kind.origin() == reference:
        rule = f"its weights have {net.classes:,} classes, not {classes:,}"
        raise SupernetError(f"supernet {reference!r}", rule, f"pass --supernet {base}")
    if checkpoint is not None and net.dialect:
        notice(f"checkpoint {net.origin}: {net.dialect}")
    metadata = _metadata(path)
    labels = labels_of(metadata)
    net.reference = kind.origin()
    net.labels = net.labels or (labels if len(labels) == net.classes else ())
    net.metric = metric_of(metadata) or net.metric
    return net


def measured_by(reference: str, checkpoint: str | Path | None = None) -> Metric:
    """The metric of the supernet that :func:`load_supernet` opens. Weights are not read.

    Raises:
        UnknownNameError, SupernetError: there is no such supernet, or it does not load.
    """
    kind = reference_kind(reference)
    family = kind.supernet()
    path = checkpoint or kind.weights()
    return family.metric_named((path and metric_of(_metadata(path))) or family.metric)


def random_supernet(reference: str, seed: int = 0, classes: int | None = None) -> Supernet:
    """The supernet of a reference, with random weights.

    Args:
        reference: see :func:`get_supernet`.
        seed: of the weights.
        classes: number of classes; None keeps the reference's.

    Raises:
        UnknownNameError, SupernetError: there is no such supernet, or it does not load.
    """
    kind = reference_kind(reference)
    if kind.whole is not None:
        return _part(kind, random_supernet(kind.whole, seed, classes))
    family, space = kind.supernet(), kind.space()
    with _one_line_errors(reference, family):
        net = family.random(seed, with_classes(space, classes) if classes is not None else space)
    net.reference = kind.origin()
    return net


def _part(kind: ReferenceKind, net: Supernet) -> Supernet:
    """The supernet with all its weights, restricted to the part of its space that a name stands for."""
    net.space = kind.part(net.space)
    return net


def _one_line_errors(reference: str, family: type[Supernet]) -> AbstractContextManager[None]:
    """Turns errors of a plug-in's code into one line; errors of hwnas's own code keep their traceback."""
    if family.__module__.partition(".")[0] == "hwnas":
        return nullcontext()
    return one_line_errors(f"supernet {reference!r}", "making it", SupernetError)


def _metadata(path: str | Path) -> Mapping[str, str]:
    """The metadata of a file that hwnas wrote; empty for other files."""
    try:
        return described(path)
    except SupernetError:
        return {}


def _fits(family: type[Supernet], path: str | Path) -> bool:
    try:
        family.from_checkpoint(path)
    except SupernetError:
        return False
    return True
