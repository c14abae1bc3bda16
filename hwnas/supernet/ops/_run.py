"""`run`: an op in torch, registered per class of op; and `Pass`, which holds its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

from torch import Tensor

from hwnas.errors import SpaceError
from hwnas.space.ops import Op
from hwnas.supernet._calibration import BatchNormMode


@dataclass
class Pass:
    """The state of one forward pass, at one op.

    Attributes:
        weights: by ``"<slot>/<op>.<part>"``.
        values: the network's inputs and the named values that layers have written.
        bn, eps, momentum: of batch norms; see `hwnas.supernet.forward`.
        name: ``"<slot>/<op>"`` of the current op.
    """

    weights: Mapping[str, Tensor]
    values: dict[str, Tensor]
    bn: BatchNormMode
    eps: float
    momentum: float
    name: str = ""

    def weight(self, part: str = "weight") -> Tensor:
        """A tensor of the current op."""
        return self.weights[f"{self.name}.{part}"]


@singledispatch
def run(op: Op, x: Sequence[Tensor], at: Pass) -> Tensor:
    """The op's output for a batch.

    Args:
        op: of a class that is registered: ``@run.register``.
        x: its inputs, with their batch axis.
        at: weights and modes.

    Raises:
        SpaceError: the class of op is not registered.
    """
    kind = type(op).__name__
    raise SpaceError(f"op {op.name} ({kind})", "it has no torch form", f"register hwnas.supernet.run for {kind}")


@singledispatch
def folded(op: Op, tensors: Mapping[str, Tensor], eps: float) -> Mapping[str, Tensor]:
    """The arrays of an op's ONNX form (``hwnas.graph.initial_shapes``) from its tensors: the same, unless registered.

    Args:
        op: the op.
        tensors: by part.
        eps: added to variances by batch norms.
    """
    return tensors
