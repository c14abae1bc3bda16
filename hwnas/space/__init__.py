"""Search spaces: genes, layers, additive costs. No torch, no files."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from hwnas.errors import SpaceError, UnknownNameError
from hwnas.plugin import is_reference, load_entry, load_object, one_line_errors
from hwnas.space._archs import Arch
from hwnas.space._cost import AdditiveCost, macs_cost, params_cost
from hwnas.space._elimination import aligned, elimination_order
from hwnas.space._factors import Factor, conditional_factor, domain_factors
from hwnas.space._gene import Gene, Slot, Value, conditional
from hwnas.space._head import classes_named, head_name, n_classes, with_classes
from hwnas.space._inputs import with_inputs
from hwnas.space._layer import LayerSpec, Network, named_ops, network_inputs
from hwnas.space._layer_metrics import layer_metrics
from hwnas.space._memory import PeakMemory, activation_peak
from hwnas.space._oplist import OpList
from hwnas.space._precision import PRECISION_GENE, Forms, precisions_named, with_precisions
from hwnas.space._space import Population, SearchSpace
from hwnas.space.families.digits import digits
from hwnas.space.families.nasbench201 import nasbench201
from hwnas.space.families.ofa_mobilenet_v3 import ofa_mobilenet_v3
from hwnas.space.families.ofa_proxyless import ofa_proxyless
from hwnas.space.families.ofa_resnet50 import ofa_resnet50
from hwnas.space.ops import Op, Shape, TensorSpec

__all__ = [
    "PRECISION_GENE",
    "AdditiveCost",
    "Arch",
    "Factor",
    "Forms",
    "Gene",
    "LayerSpec",
    "Network",
    "Op",
    "OpList",
    "PeakMemory",
    "Population",
    "SearchSpace",
    "Shape",
    "Slot",
    "TensorSpec",
    "Value",
    "activation_peak",
    "aligned",
    "classes_named",
    "conditional",
    "conditional_factor",
    "domain_factors",
    "elimination_order",
    "get_space",
    "head_name",
    "layer_metrics",
    "macs_cost",
    "n_classes",
    "named_ops",
    "nasbench201",
    "network_inputs",
    "params_cost",
    "precisions_named",
    "space_names",
    "with_classes",
    "with_inputs",
    "with_precisions",
]

_SPACES: dict[str, Callable[[], SearchSpace]] = {
    "ofa_mbv3_w1.0": lambda: ofa_mobilenet_v3(1.0),
    "ofa_mbv3_w1.2": lambda: ofa_mobilenet_v3(1.2),
    "ofa_proxyless_w1.3": lambda: ofa_proxyless(1.3),
    "ofa_resnet50": ofa_resnet50,
    "digits": digits,
    "nasbench201": nasbench201,
}


def space_names() -> list[str]:
    """Names of the built-in spaces, then of spaces that plug-ins register under ``hwnas.spaces``."""
    return [*_SPACES, *(e.name for e in entry_points(group="hwnas.spaces") if e.name not in _SPACES)]


def get_space(name: str) -> SearchSpace:
    """The space registered under ``name``, or from ``package.module:Name`` or ``path/to/file.py:Name``.

    The name after a colon is a SearchSpace, a function that makes one, or a Supernet class. ``"<name>-c10"`` is a registered
    space with 10 classes.

    Raises:
        UnknownNameError: there is no such space; suggests the nearest.
        SpaceError: a plug-in cannot be loaded, or gives no space.
    """
    return _of_object(name, load_object(name, "space", SpaceError)) if is_reference(name) else _registered(name)


@cache
def _registered(name: str) -> SearchSpace:
    if name in _SPACES:
        return _SPACES[name]()
    found = load_entry("hwnas.spaces", name, "space", SpaceError)
    if found is not None:
        return _of_object(name, found)
    base, classes = classes_named(name)
    if classes is not None:
        return with_classes(get_space(base), classes)
    raise UnknownNameError("space", name, space_names())


def _of_object(name: str, found: object) -> SearchSpace:
    make = getattr(found, "search_space", found)
    with one_line_errors(f"space {name!r}", "making it", SpaceError):
        space = make() if callable(make) else make
    if not isinstance(space, SearchSpace):
        rule = "it is no SearchSpace, no function that makes one, and no Supernet class"
        remedy = "correct the name after the colon" if is_reference(name) else "correct the plug-in"
        raise SpaceError(f"space {name!r}", rule, remedy)
    return space
