"""Norms that exporters write as several nodes, and means over height and width one after the other.

A layer norm is ``(x - mean(x)) / sqrt(mean((x - mean(x)) ** 2) + eps)``, a response norm ``x * length(x) / (mean(length(x)) + eps)``.
Every step on the way is a `Moment`, and the last one is the norm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from hwnas.space.ops import Flatten, GlobalPool, LayerNorm, ResponseNorm, Shape, Transpose

if TYPE_CHECKING:
    from hwnas.errors import SupernetError
    from hwnas.graph.read._reading import Constant, Reading, Value

Step = Literal["mean", "centred", "squared", "variance", "deviation", "length", "mean length", "response"]


@dataclass(frozen=True)
class Moment:
    """A step on the way from a value to its norm.

    Attributes:
        step: which one; ``centred`` is the value minus its mean, ``length`` that of a channel over the map.
        x: number of the value.
        axis: over which means are taken, without the batch axis.
        kept: whether this axis remains, with length 1.
        eps: added to the variance, or to the mean length.
    """

    step: Step
    x: int
    axis: int
    kept: bool = True
    eps: float = 0.0

    def is_of_channels(self, shape: Shape) -> bool:
        """Whether it is the mean over the channels of a feature map."""
        return self.step == "mean" and self.axis == 0 and self.kept and len(shape) == 3


def reduced(at: Reading, given: Moment, axes: Constant | None, *, kept: bool) -> Value:
    """The mean of a moment over one further axis.

    Raises:
        SupernetError: it is neither a variance nor a mean over height and width.
    """
    rank = len(at.list.shape(given.x)) + 1 - (not given.kept)
    axis = int(axes.reshape(-1)[0]) % rank - 1 if axes is not None and axes.size == 1 else -1
    if at.node.op_type == "ReduceMean" and kept == given.kept:
        following: dict[Step, Step] = {"squared": "variance", "length": "mean length"}
        if given.step in following and axis == given.axis and kept:
            return replace(given, step=following[given.step])
        other = 3 - given.axis if kept else 1  # of height and width
        if given.step == "mean" and axis == other and given.axis and len(at.list.shape(given.x)) == 3:
            pooled = at.add(GlobalPool, given.x)
            return pooled if kept else at.add(Flatten, pooled)
    raise _unknown(at)


def after(at: Reading) -> Value:
    """What a node computes of moments: the next step, or the norm.

    Raises:
        SupernetError: it is no step of a norm.
    """
    given = [at.raw(i) for i in range(len(at.node.input))]
    first = next(value for value in given if isinstance(value, Moment))
    same = {(value.x, value.axis, value.kept) for value in given if isinstance(value, Moment)} == {
        (first.x, first.axis, True)
    }
    words: list[str | float | None] = []
    for value in given:
        if isinstance(value, Moment):
            words.append(value.step)
        elif isinstance(value, np.ndarray):
            words.append(float(value.reshape(-1)[0]) if value.size == 1 else None)
        else:
            words.append("x" if at.number(value) == first.x else None)
    match (at.node.op_type, *words) if same else ():
        case ("Sub", "x", "mean"):
            return replace(first, step="centred")
        case ("Pow", "centred", 2.0) | ("Mul", "centred", "centred"):
            return replace(first, step="squared")
        case ("Add", "variance", float(eps)) | ("Add", float(eps), "variance"):
            return replace(first, eps=first.eps + eps)
        case ("Sqrt", "variance"):
            return replace(first, step="deviation")
        case ("Div", "centred", "deviation"):
            (deviation,) = (value for value in given if isinstance(value, Moment) and value.step == "deviation")
            return _layer_norm(at, deviation)
        case ("Add", "mean length", float(eps)) | ("Add", float(eps), "mean length"):
            return replace(first, eps=first.eps + eps)
        case ("Div", "length", "mean length"):
            (mean,) = (value for value in given if isinstance(value, Moment) and value.step == "mean length")
            return replace(mean, step="response")
        case ("Mul", "x", "response") | ("Mul", "response", "x"):
            return at.add(ResponseNorm, first.x, axis=first.axis, eps=first.eps)
    raise _unknown(at)


def _layer_norm(at: Reading, of: Moment) -> int:
    shape = at.list.shape(of.x)
    weights = {"weight": np.ones(shape[of.axis]), "bias": np.zeros(shape[of.axis])}
    if of.axis == len(shape) - 1:
        return at.add(LayerNorm, of.x, weights=weights, eps=of.eps)
    if of.axis or len(shape) != 3:
        raise _unknown(at)
    last = at.add(Transpose, of.x, axes=(1, 2, 0))
    return at.add(Transpose, at.add(LayerNorm, last, weights=weights, eps=of.eps), axes=(2, 0, 1))


def _unknown(at: Reading) -> SupernetError:
    rule = "it computes with a mean over one axis, which hwnas only reads in norms, of channels, and in means over height and width"
    return at.error(rule)
