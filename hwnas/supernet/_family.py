"""What a family of supernets states: its space, the shapes of its tensors, its data. All are known without weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from hwnas.errors import SupernetError
from hwnas.plugin import one_line_errors
from hwnas.space import Op, SearchSpace, named_ops

if TYPE_CHECKING:
    from hwnas.supernet._base import Supernet
    from hwnas.task import Task

TensorShape = tuple[int, ...]


@cache
def family_space(family: type[Supernet]) -> SearchSpace:
    """The space that a family states, built once.

    Raises:
        SupernetError: a plug-in's ``search_space`` fails, or returns something else.
    """
    name = f"supernet {family.__name__}"
    with one_line_errors(name, "its search_space()", SupernetError):
        space: object = family.search_space()
    if not isinstance(space, SearchSpace):
        raise SupernetError(name, "its search_space() returns no SearchSpace", "return one from it")
    return space


def brought_data(supernet: Supernet | type[Supernet]) -> Task | None:
    """The data that a supernet brings; None if the user has to give some.

    Raises:
        SupernetError: a plug-in's ``data`` fails, or returns no task with a metric.
    """
    family = supernet if isinstance(supernet, type) else type(supernet)
    name = f"supernet {family.__name__}"
    with one_line_errors(name, "its data()", SupernetError):
        data = supernet.data()
    missing = [part for part in ("metrics", "labels", "calibration", "validation") if not hasattr(data, part)]
    if data is not None and missing:
        rule = f"its data() returns {type(data).__name__}, which has no {missing[0]}"
        raise SupernetError(name, rule, "return a hwnas.task.Task, or None")
    if data is not None and not data.metrics:
        raise SupernetError(name, "its data() has no metrics", 'name a score: metrics = {"top1": hwnas.task.top1}')
    return data


@cache
def largest_shapes(family: type[Supernet], space: SearchSpace) -> dict[str, TensorShape]:
    """Largest shapes of all tensors of a space's layers, and of the family's extra tensors."""
    shapes: dict[str, TensorShape] = {}
    for op_name, op in _ops(space):
        for part, shape in {**op.weights, **op.buffers}.items():
            name = f"{op_name}.{part}"
            known = shapes.get(name, shape)
            shapes[name] = tuple(max(a, b) for a, b in zip(shape, known, strict=True))
    return shapes | family.extra_shapes()


@cache
def buffer_names(space: SearchSpace) -> frozenset[str]:
    """Names of a space's tensors that training leaves alone."""
    return frozenset(f"{name}.{part}" for name, op in _ops(space) for part in op.buffers)


def _ops(space: SearchSpace) -> Iterator[tuple[str, Op]]:
    """Every op of every layer, with its name ``"<slot>/<op>"``."""
    *_, space = space.by_input()  # weights do not depend on the input's size, so one setting suffices
    layers = ((slot.name, layer) for slot in space.slots for _, layer in space.slot_layers(slot))
    return named_ops((slot, layer) for slot, layer in layers if layer is not None)
