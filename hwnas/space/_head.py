"""Changing the number of classes of a space: only its last layer differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hwnas.errors import SpaceError
from hwnas.space._gene import Slot
from hwnas.space._layer import LayerSpec
from hwnas.space._space import SearchSpace
from hwnas.space.ops import Activation, Conv, Flatten, GlobalPool, Linear, Op


def n_classes(space: SearchSpace) -> int:
    """Number of logits of every subnet: classes, or the size of a decoder's vocabulary."""
    return _head(space)[1].output_shape[-1]


def head_name(space: SearchSpace) -> str:
    """``"<slot>/<op>"`` of the linear map, or of the convolution before a global pooling, that gives the logits.

    Raises:
        SpaceError: the network ends in another kind of op.
    """
    slot, layer = _head(space)
    return f"{slot.name}/{layer.ops[_classifier(space.name, layer)].name}"


def classes_named(name: str) -> tuple[str, int | None]:
    """Base name and number of classes of a name from :func:`with_classes`; for another name, the name and None."""
    found = re.fullmatch(r"(.+)-c([1-9]\d{0,5})", name)
    return (found[1], int(found[2])) if found else (name, None)


def with_classes(space: SearchSpace, classes: int) -> SearchSpace:
    """The space with another number of classes, named ``"<space>-c<classes>"``; ``space`` itself if it has that number.

    Genes and rows are the same. Only the head's layer and its key differ, so latency tables share all other rows.

    Raises:
        SpaceError: ``classes`` is below 1, the space has no layers, or its network does not end in one of the ops that
            :func:`head_name` names.
    """
    base = space.base or space
    if base.plain is not None:
        rule = "classes must be set before precisions"
        raise SpaceError(f"space {space.name}", rule, f"set the classes of {base.plain.name} first")
    slot, layer = _head(base)
    _classifier(base.name, layer)
    if classes < 1:
        raise SpaceError(f"{classes} classes", "a network has at least one class", "give the number of classes")
    if classes == n_classes(space):
        return space
    domain = [allowed.tolist() for allowed in space.domain]
    if classes == n_classes(base):
        return SearchSpace(base.name, base.genes, base.slots, domain)
    slots = [*base.slots[:-1], replace(slot, build=_widened(slot.build, classes))]
    return SearchSpace(f"{base.name}-c{classes}", base.genes, slots, domain, base=base)


def _head(space: SearchSpace) -> tuple[Slot, LayerSpec]:
    if not space.slots:
        raise SpaceError(f"space {space.name}", "it has no layers, and so no classifier", "name another space")
    slot = space.slots[-1]
    layers = (layer for _, layer in space.slot_layers(slot) if layer is not None)
    return slot, next(layers)


def _classifier(space: str, layer: LayerSpec) -> int:
    """Position of the op that gives one value, or one feature map, per class."""
    after = [i for i, op in enumerate(layer.ops) if not isinstance(op, (Activation, Flatten, GlobalPool))]
    op = layer.ops[after[-1]] if after else None
    whole = isinstance(op, Linear) and after[-1] + 1 == len(layer.ops)
    mapped = isinstance(op, Conv) and op.groups == 1 and any(isinstance(o, GlobalPool) for o in layer.ops[after[-1] :])
    if not whole and not mapped:
        rule = "it ends neither in a linear map to logits, nor in a convolution and a global pooling"
        raise SpaceError(f"space {space}", rule, "end it in OpList.linear")
    return after[-1]


def _widened(build: Callable[..., LayerSpec | None], classes: int) -> Callable[..., LayerSpec | None]:
    def built(*values: Any) -> LayerSpec | None:
        layer = build(*values)
        if layer is None:
            return None
        position, shapes, ops = _classifier(layer.key, layer), [layer.input_shape], []
        for i, op in enumerate(layer.ops):
            fitted: Op = replace(op, in_shapes=tuple(shapes[x] for x in op.inputs))
            if i == position and isinstance(fitted, Conv):
                fitted = replace(fitted, channels=classes)
            elif i == position and isinstance(fitted, Linear):
                fitted = replace(fitted, features=classes)
            ops.append(fitted)
            shapes.append(fitted.shape)
        key, replaced = re.subn(rf"-o{layer.output_shape[0]}(?!\d)", f"-o{classes}", layer.key)
        return LayerSpec(key if replaced else f"{layer.key}-o{classes}", layer.input_shape, tuple(ops))

    return built
