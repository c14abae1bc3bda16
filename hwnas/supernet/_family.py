"""What is known of a family of supernets before there are weights: its space, and the shapes of its tensors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hwnas.errors import HwnasError, SupernetError
from hwnas.space import SearchSpace

if TYPE_CHECKING:
    from hwnas.supernet._base import Supernet

TensorShape = tuple[int, ...]


@cache
def family_space(family: type[Supernet]) -> SearchSpace:
    """The space a family states, built once.

    Raises:
        SupernetError: a plug-in's own code fails, or makes something else.
    """
    name = f"supernet {family.__name__}"
    try:
        space: object = family.search_space()
    except HwnasError:
        raise
    except Exception as error:
        rule = f"its search_space() fails ({type(error).__name__}: {error})"
        raise SupernetError(name, rule, "correct the plug-in") from error
    if not isinstance(space, SearchSpace):
        raise SupernetError(name, "its search_space() gives no SearchSpace", "return one from it")
    return space


@cache
def largest_shapes(family: type[Supernet], space: SearchSpace) -> dict[str, TensorShape]:
    """Every tensor of a space's layers at its largest, and the family's own beside them."""
    *_, space = space.by_input()  # weights do not depend on the size of inputs: any one setting will do
    shapes: dict[str, TensorShape] = {}
    for slot in space.slots:
        for _, layer in space.slot_layers(slot):
            for op in layer.ops if layer is not None else ():
                for part, shape in {**op.weights, **op.buffers}.items():
                    name = f"{slot.name}/{op.name}.{part}"
                    known = shapes.get(name, shape)
                    shapes[name] = tuple(max(a, b) for a, b in zip(shape, known, strict=True))
    return shapes | family.extra_shapes()
