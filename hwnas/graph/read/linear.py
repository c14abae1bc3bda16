"""Linear maps: Gemm, and products with a constant matrix."""

from __future__ import annotations

import numpy as np

from hwnas.graph.read._reading import Reading, reads
from hwnas.space.ops import Linear


@reads("Gemm")
def _gemm(at: Reading) -> int:
    weight = at.constant(1, "weight")
    if at.attributes.get("transA"):
        raise at.error("it transposes its input")
    weight = weight if at.attributes.get("transB") else weight.T
    weight = weight * at.attributes.get("alpha", 1.0)
    _check(at, weight.shape[1])
    weights = {"weight": weight}
    if at.has(2):
        bias = at.constant(2, "bias") * at.attributes.get("beta", 1.0)
        if bias.size not in (1, len(weight)):
            raise at.error(f"its bias is {bias.shape}, not one number per output")
        weights["bias"] = np.broadcast_to(bias.reshape(-1), weight.shape[:1])
    return at.add(Linear, at.value(), weights=weights, features=len(weight), bias="bias" in weights)


@reads("MatMul")
def _product(at: Reading) -> int:
    weight = at.constant(1, "second matrix")
    if weight.ndim != 2:
        raise at.error(f"its matrix has {weight.ndim} axes, not 2")
    _check(at, len(weight))
    return at.add(Linear, at.value(), weights={"weight": weight.T}, features=weight.shape[1], bias=False)


def _check(at: Reading, wanted: int) -> None:
    """Refuse a matrix whose size differs from its input's, mostly because the network is for another image size."""
    given, (_, height, width) = at.shape()[-1], at.graph.shape
    if wanted != given:
        rule = f"its weight is for {wanted} numbers, and with an image of {height} x {width} it gets {given}"
        raise at.error(rule, "export the network with its own image size, fixed")
