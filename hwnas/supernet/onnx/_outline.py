"""A network's ops as text, which is stored with trained weights."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from hwnas.errors import SupernetError
from hwnas.space import OpList
from hwnas.space import ops as every_op
from hwnas.space.ops import Op, Shape

_OF_ALL = {field.name for field in fields(Op)}


def outlined(input_shape: Shape, ops: tuple[Op, ...]) -> str:
    """JSON of a network's ops: class, inputs, settings."""
    each = [
        [type(op).__name__, op.inputs, {f.name: getattr(op, f.name) for f in fields(op) if f.name not in _OF_ALL}]
        for op in ops
    ]
    return json.dumps({"input": input_shape, "ops": each}, separators=(",", ":"))


def of_outline(text: str, origin: str) -> tuple[Shape, tuple[Op, ...]]:
    """The image's shape and the ops from a text of :func:`outlined`.

    Raises:
        SupernetError: the text is damaged, or another version of hwnas wrote it.
    """
    try:
        outline = json.loads(text)
        made = OpList(tuple(outline["input"]))
        for kind, inputs, settings in outline["ops"]:
            made.apply(_class(kind), f"op{len(made.ops)}", *inputs, **{k: _frozen(v) for k, v in settings.items()})
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        rule = f"its description of the network cannot be read ({error})"
        raise SupernetError(origin, rule, "train it again with this version of hwnas") from None
    return tuple(outline["input"]), tuple(made.ops)


def _class(name: str) -> type[Op]:
    kind = getattr(every_op, name)
    if not (isinstance(kind, type) and issubclass(kind, Op)):
        raise TypeError(name)
    return kind


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
