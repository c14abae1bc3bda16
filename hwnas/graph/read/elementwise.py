"""Activations in any spelling, sums and products of two values, scales and shifts per channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwnas.graph.read._curve import Curve, Samples
from hwnas.graph.read._file import REAL, evaluated
from hwnas.graph.read._moments import Moment, after
from hwnas.graph.read._reading import JOINS, Constant, Reading, Spread, Value, reads
from hwnas.space.ops import Add, Affine, PRelu, Shape

SHIFTS = {"Add": 1.0, "Sum": 1.0, "Sub": -1.0}
SCALES = {"Mul": 1.0, "Div": -1.0}
"""Exponents of the constant that they scale by."""


@reads("Identity", "Dropout")
def _passed(at: Reading) -> Value:
    return at.raw()


@reads("Cast")
def _cast(at: Reading) -> Value:
    if at.attributes["to"] not in REAL:
        raise at.error("it casts a feature map to numbers that are not real")
    return at.raw()


@reads(
    *("Abs", "Add", "Celu", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "Greater", "HardSigmoid", "HardSwish"),
    *("LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Selu", "Sigmoid"),
    *("Softplus", "Sqrt", "Sub", "Sum", "Swish", "Tanh", "Where"),
)
def _of_elements(at: Reading) -> Value:
    given = [at.raw(i) for i in range(len(at.node.input)) if at.has(i)]
    if any(isinstance(value, Moment) for value in given):
        return after(at)
    if at.node.op_type == "Mul":
        given = [value.number if isinstance(value, Spread) else value for value in given]
    curves = [_curve(at, value) for value in given if not isinstance(value, np.ndarray)]
    constants = [value for value in given if isinstance(value, np.ndarray)]
    if len({curve.root for curve in curves}) == 1 and all(value.size == 1 for value in constants):
        return Curve.given_by(at.node, curves, _node(at))
    if len(given) != 2:
        raise at.error("it is neither an activation nor a sum or product of two values")
    if constants:
        return _per_channel(at, constants[0], first=isinstance(given[0], np.ndarray))
    return _joined(at, *map(at.number, given))


def _curve(at: Reading, value: Value) -> Curve:
    """The curve of a value. A new one starts at a value that an op computes already."""
    return value if isinstance(value, Curve) and value.number is None else Curve.of(at.number(value))


def _node(at: Reading):  # type: ignore[no-untyped-def]
    node, opset = at.node, at.graph.opset
    fixed = {n: v.astype(np.float64) for n in node.input if n and isinstance(v := at.values[n], np.ndarray)}
    open_names = [name for name in node.input if name and name not in fixed]

    def compute(samples: Sequence[Samples]) -> Samples:
        with np.errstate(all="ignore"):
            given = fixed | dict(zip(open_names, samples, strict=True))
            return evaluated(node, {n: v.reshape(()) if v.size == 1 else v for n, v in given.items()}, opset)[0]

    return compute


def _joined(at: Reading, x: int, y: int) -> int:
    """A sum, difference or product of two values of one shape, or of a value and a gate per channel or per pixel."""
    kind = Add if at.node.op_type == "Sub" else JOINS.get(at.node.op_type)
    if kind is None:
        raise at.error("hwnas cannot read this operator of two values", f"it reads {', '.join(JOINS)}, Sub")
    shapes = at.list.shape(x), at.list.shape(y)
    if at.node.op_type == "Mul" and _gates(*shapes):
        x, y = y, x
        shapes = shapes[::-1]
    if shapes[0] != shapes[1] and not (at.node.op_type == "Mul" and _gates(*shapes[::-1])):
        raise at.error(f"it joins {shapes[0]} and {shapes[1]}, which differ")
    return at.add(kind, x, at.scaled(y, (-1, 0)) if at.node.op_type == "Sub" else y)


def _gates(gate: Shape, shape: Shape) -> bool:
    """Whether a value of shape ``gate`` has one number per channel or per pixel of a larger feature map."""
    return gate != shape and len(shape) == 3 and gate in ((shape[0], 1, 1), (1, *shape[1:]))


@reads("Expand")
def _expand(at: Reading) -> Value:
    """A gate is repeated by the product that reads it."""
    x, shape, wanted = at.value(), at.shape(), at.constant(1, "shape").tolist()
    if len(shape) != 3 or shape[1:] != (1, 1) or len(wanted) != 4 or wanted[1] not in (1, shape[0]):
        raise at.error(f"it repeats {(1, *shape)} to {wanted}, and hwnas only reads gates of one pixel per channel")
    return Spread(x)


def _per_channel(at: Reading, constant: Constant, *, first: bool) -> int:
    """A scale or shift by a constant per channel."""
    operator, x = at.node.op_type, at.value(1 if first else 0)
    if operator == "PRelu" and constant.size == at.list.channels(x) == max(constant.shape[-3:-2], default=0):
        return at.add(PRelu, x, weights={"slope": constant.reshape(-1)})
    if operator not in SHIFTS | SCALES:
        raise at.error(f"its constant is {constant.shape}, and hwnas reads this operator only with a single number")
    shape = at.list.shape(x)
    sizes = (*[1] * (len(shape) + 1 - constant.ndim), *constant.shape)[1:]
    long = [axis for axis, size in enumerate(sizes) if size > 1]
    fits = constant.ndim <= len(shape) + 1 and len(long) == 1 and sizes[long[0]] == shape[long[0]]
    if not fits or (first and operator == "Div"):
        raise at.error(f"its constant is {constant.shape}, not one number per channel")
    (axis,) = long
    values = constant.astype(np.float64).reshape(-1)
    ones = np.ones_like(values)
    if operator in SCALES:
        scale, shift = values ** SCALES[operator], 0 * ones
    elif first and operator == "Sub":
        scale, shift = -ones, values
    else:
        scale, shift = ones, SHIFTS[operator] * values
    return at.add(Affine, x, weights={"weight": scale, "bias": shift}, axis=axis)
