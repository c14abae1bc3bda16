"""Supernets by name: built-in, from plug-ins, or the user's own class."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from hwnas.errors import SupernetError, UnknownNameError
from hwnas.plugin import is_reference, load_entry, load_object
from hwnas.progress import notice
from hwnas.space import classes_named
from hwnas.supernet._base import Supernet
from hwnas.supernet._checkpoint import Misfit
from hwnas.supernet._download import PUBLISHED
from hwnas.supernet._header import described, is_file_reference, labels_of
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
    """Names of the built-in supernets, then of those that plug-ins register under ``hwnas.supernets``."""
    return [*_SUPERNETS, *(e.name for e in entry_points(group="hwnas.supernets") if e.name not in _SUPERNETS)]


def get_supernet(name: str) -> type[Supernet]:
    """The class registered as ``name``, or ``package.module:Class``, or ``path/to/file.py:Class``.

    A space's name with a number of classes (``"digits-c7"``) gives the class of the space without; a file that
    ``hwnas train`` wrote (``"own.safetensors"``) that of the supernet it says it is of.

    Raises:
        UnknownNameError: no such name; suggests the nearest.
        SupernetError: the module or class cannot be loaded, or is no Supernet.
    """
    if name in _SUPERNETS:
        return _SUPERNETS[name]
    if is_file_reference(name):
        of = described(name)["supernet"]
        if is_file_reference(of):
            raise SupernetError(f"supernet {name}", "it says it is of another file", f"pass --supernet {of}")
        return get_supernet(of)
    if is_reference(name):
        found = load_object(name, "supernet", SupernetError)
    else:
        found = load_entry("hwnas.supernets", name, "supernet", SupernetError)
        derived = classes_named(name)
        if found is None and derived:
            return get_supernet(derived[0])
        if found is None:
            raise UnknownNameError("supernet", name, supernet_names())
    if not (isinstance(found, type) and issubclass(found, Supernet)):
        raise SupernetError(
            f"supernet {name!r}", "it is not a subclass of hwnas.supernet.Supernet", "derive it from that"
        )
    return found


def load_supernet(name: str, checkpoint: str | Path | None = None) -> Supernet:
    """The supernet ``name`` with the weights of ``checkpoint``, or of the one that ships or was downloaded.

    Args:
        name: see :func:`get_supernet`.
        checkpoint: a file, or ``FILE:PART`` where it holds several networks.

    Raises:
        SupernetError: there is no checkpoint, or it does not fit; says which supernet it does fit.
    """
    family = get_supernet(name)
    own = described(name) if is_file_reference(name) else {}
    path = checkpoint or (name if own else family.default_checkpoint())
    if path is None:
        remedy = (
            f"run hwnas download {name}, or pass --checkpoint FILE" if name in PUBLISHED else "pass --checkpoint FILE"
        )
        raise SupernetError(f"supernet {name!r}", "its weights are not on this machine", remedy)
    try:
        net = family.from_checkpoint(path)
    except Misfit as error:
        others = [other for other, it in _SUPERNETS.items() if it is not family and _fits(it, path)]
        if not others:
            raise
        raise Misfit(error.value, error.rule, f"it fits {others[0]}: pass --supernet {others[0]}") from None
    if checkpoint is not None and net.dialect:
        notice(f"checkpoint {net.origin}: {net.dialect}")
    net.reference = own.get("supernet", name)
    net.labels = _labels(path, net.classes)
    return net


def _labels(path: str | Path, classes: int) -> tuple[str, ...]:
    """The names of a file's classes, if it is one of ours and has them."""
    try:
        labels = labels_of(described(path))
    except SupernetError:
        return ()
    return labels if len(labels) == classes else ()


def _fits(family: type[Supernet], path: str | Path) -> bool:
    try:
        family.from_checkpoint(path)
    except SupernetError:
        return False
    return True
