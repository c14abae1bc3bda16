"""Networks that tell another number of classes apart: the same space but for its last layer."""

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
    """How many classes the logits of every subnet tell apart; of decoders the tokens of their vocabulary."""
    return _head(space)[1].output_shape[-1]


def head_name(space: SearchSpace) -> str:
    """``"<slot>/<op>"`` of the linear map, or the convolution before a global pooling, that gives the logits.

    Raises:
        SpaceError: the network ends in another kind of op.
    """
    slot, layer = _head(space)
    return f"{slot.name}/{layer.ops[_classifier(space.name, layer)].name}"


def classes_named(name: str) -> tuple[str, int | None]:
    """The base and the number of classes of a name that :func:`with_classes` gives; any other name, and None."""
    found = re.fullmatch(r"(.+)-c([1-9]\d{0,5})", name)
    return (found[1], int(found[2])) if found else (name, None)


def with_classes(space: SearchSpace, classes: int) -> SearchSpace:
    """The space with so many classes, named ``"<space>-c<classes>"``; ``space`` itself where it has them.

    Genes, and so rows, are the same. Of the layers only the head differs: its key has the number of classes in
    place of the old one, so that tables share all other rows.

    Raises:
        SpaceError: fewer than one class, no layers, or the network ends in neither of what :func:`head_name` names.
    """
    base = space.base or space
    if base.plain is not None:
        rule = "its layers have precisions, which are chosen last"
        raise SpaceError(f"space {space.name}", rule, f"give {base.plain.name} its classes first")
    slot, layer = _head(base)
    _classifier(base.name, layer)
    if classes < 1:
        raise SpaceError(f"{classes} classes", "a network tells one class or more apart", "give the number of classes")
    if classes == n_classes(space):
        return space
    domain = [allowed.tolist() for allowed in space.domain]
    if classes == n_classes(base):
        return SearchSpace(base.name, base.genes, base.slots, domain)
    slots = [*base.slots[:-1], replace(slot, build=_widened(slot.build, classes))]
    return SearchSpace(f"{base.name}-c{classes}", base.genes, slots, domain, base=base)


def _head(space: SearchSpace) -> tuple[Slot, LayerSpec]:
    if not space.slots:
        raise SpaceError(
            f"space {space.name}", "it has no layers, so that none gives its classes", "name another space"
        )
    slot = space.slots[-1]
    layers = (layer for _, layer in space.slot_layers(slot) if layer is not None)
    return slot, next(layers)


def _classifier(space: str, layer: LayerSpec) -> int:
    """Position of the last op that sets the number of channels: it gives one value, or one feature map, per class."""
    after = [i for i, op in enumerate(layer.ops) if not isinstance(op, (Activation, Flatten, GlobalPool))]
    op = layer.ops[after[-1]] if after else None
    whole = isinstance(op, Linear) and after[-1] + 1 == len(layer.ops)
    mapped = isinstance(op, Conv) and op.groups == 1 and any(isinstance(o, GlobalPool) for o in layer.ops[after[-1] :])
    if not whole and not mapped:
        rule = "it ends in no linear map to logits, nor in a convolution and a global pooling"
        raise SpaceError(f"space {space}", rule, "end it in OpList.linear")
    return after[-1]


def _widened(build: Callable[..., LayerSpec | None], classes: int) -> Callable[..., LayerSpec | None]:
    def built(*values: Any) -> LayerSpec | None:
        layer = build(*values)
        if layer is None:
            return None
        position, shapes, ops = _classifier(layer.key, layer), [layer.input_shape], []
        for i, op in enumerate(layer.ops):
            fitted = replace(op, in_shapes=tuple(shapes[x] for x in op.inputs))
            if i == position:
                fitted = _with_channels(fitted, classes)
            ops.append(fitted)
            shapes.append(fitted.shape)
        key, told = re.subn(rf"-o{layer.output_shape[0]}(?!\d)", f"-o{classes}", layer.key)
        return LayerSpec(key if told else f"{layer.key}-o{classes}", layer.input_shape, tuple(ops))

    return built


def _with_channels(op: Op, n: int) -> Op:
    return (
        replace(op, channels=n) if isinstance(op, Conv) else replace(op, features=n) if isinstance(op, Linear) else op
    )
