"""Activations. Each is defined by one formula; a new one is an entry of `FORMULAS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf, pi, sqrt
from typing import Any, Protocol

from hwnas.errors import UnknownNameError
from hwnas.space.ops._op import Op, Shape

Function = str
"""The name of an activation in `FORMULAS`."""


class Maths(Protocol):
    """Functions for formulas, besides ``+``, ``-``, ``*`` and ``/``: of numpy, of torch, or nodes of a graph."""

    def clip(self, x: Any, low: float, high: float, /) -> Any:
        """``x`` limited to ``low`` and ``high``."""

    def erf(self, x: Any, /) -> Any:
        """The error function."""

    def exp(self, x: Any, /) -> Any:
        """``e`` to the power of ``x``."""

    def sigmoid(self, x: Any, /) -> Any:
        """``1 / (1 + exp(-x))``."""

    def softplus(self, x: Any, /) -> Any:
        """``log(1 + exp(x))``."""

    def tanh(self, x: Any, /) -> Any:
        """The hyperbolic tangent."""


def _leaky(m: Maths, x: Any, slope: float) -> Any:
    return m.clip(x, 0, inf) + m.clip(x, -inf, 0) * slope


SLOPES = (0.01, 0.1, 0.2, 0.3)
"""Of the negative side of a leaky relu, as torch, YOLO, GANs and Keras have it."""

SELU = (1.0507009873554805, 1.7580993408473766)
"""Factors of the positive and of the negative side (Klambauer et al. 2017, arXiv:1706.02515)."""

FORMULAS: Mapping[Function, Callable[[Maths, Any], Any]] = {
    "relu": lambda m, x: m.clip(x, 0, inf),
    "relu6": lambda m, x: m.clip(x, 0, 6),
    **{f"leaky_relu_{slope}": partial(_leaky, slope=slope) for slope in SLOPES},
    "selu": lambda m, x: m.clip(x, 0, inf) * SELU[0] + (m.exp(m.clip(x, -inf, 0)) - 1) * SELU[1],
    "elu": lambda m, x: m.clip(x, 0, inf) + (m.exp(m.clip(x, -inf, 0)) - 1),
    "hswish": lambda m, x: x * m.clip(x / 6 + 0.5, 0, 1),
    "hsigmoid": lambda m, x: m.clip(x / 6 + 0.5, 0, 1),
    "hsigmoid_0.2": lambda m, x: m.clip(x * 0.2 + 0.5, 0, 1),
    "sigmoid": lambda m, x: m.sigmoid(x),
    "silu": lambda m, x: x * m.sigmoid(x),
    "softplus": lambda m, x: m.softplus(x),
    "mish": lambda m, x: x * m.tanh(m.softplus(x)),
    "tanh": lambda m, x: m.tanh(x),
    "gelu": lambda m, x: x * (m.erf(x / sqrt(2)) + 1) * 0.5,
    "gelu_tanh": lambda m, x: x * (m.tanh((x + x * x * x * 0.044715) * sqrt(2 / pi)) + 1) * 0.5,
}
"""Functions of `Maths` and a value, by name. They give the ONNX nodes, the torch function if torch has no kernel, and the reader's
test of which activation a chain of ONNX nodes is. onnxruntime fuses ``gelu`` in exactly this form into one kernel."""


@dataclass(frozen=True)
class PRelu(Op):
    """Multiplies negative values by a learned slope per channel (He et al. 2015, arXiv:1502.01852)."""

    in_place = (0,)

    @property
    def weights(self) -> Mapping[str, Shape]:
        return {"slope": self.in_shape[:1]}


@dataclass(frozen=True)
class Activation(Op):
    """``function`` of every element.

    Raises:
        UnknownNameError: there is no such function; suggests the nearest.
    """

    function: Function

    in_place = (0,)

    def __post_init__(self) -> None:
        if self.function not in FORMULAS:
            raise UnknownNameError("activation", self.function, FORMULAS)


@dataclass(frozen=True)
class Power(Op):
    """``max(x, least) ** exponent`` of every element; before and after a mean over the map, a generalised mean."""

    exponent: float
    least: float = 0.0

    in_place = (0,)
