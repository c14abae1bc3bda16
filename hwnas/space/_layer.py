"""LayerSpec: one profiled unit of a network, described by primitive operations.

A layer (an MBConv, a stem, a bottleneck) is a short list of primitive ops in single-assignment
form. Its MACs, its parameters, the ONNX graph that is profiled and exported, and the torch
function that runs it are all derived from that one list, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Shape = tuple[int, ...]
"""Shape of a feature map without its batch axis: ``(channels, height, width)`` or ``(features,)``."""

OpKind = Literal["conv", "linear", "act", "add", "mul", "max_pool", "avg_pool", "global_pool", "flatten"]
Activation = Literal["relu", "relu6", "hswish", "hsigmoid"]


@dataclass(frozen=True, slots=True)
class Op:
    """One primitive operation.

    Attributes:
        name: its role within the layer (``"expand"``, ``"depthwise"``); weights are found by it.
        kind: which operation. A ``conv`` with ``bn`` is a convolution followed by a batch norm.
        inputs: values it reads: 0 is the layer's input, ``i`` the output of the layer's i-th op (from 1).
        in_shape: shape of its first input.
        shape: shape of its output.
        kernel, stride, groups: of convolutions and poolings. Convolutions and max-pooling pad by
            ``kernel // 2``; average pooling pads nothing and rounds its output size up.
        bias, bn: whether it has an additive bias, a batch norm.
        function: the activation, for ``act``.
    """

    name: str
    kind: OpKind
    inputs: tuple[int, ...]
    in_shape: Shape
    shape: Shape
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    bias: bool = False
    bn: bool = False
    function: Activation | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution or linear map; 0 for anything else."""
        if self.kind == "conv":
            channels, height, width = self.shape
            return channels * height * width * (self.in_shape[0] // self.groups) * self.kernel**2
        if self.kind == "linear":
            return self.in_shape[0] * self.shape[0]
        return 0

    @property
    def params(self) -> int:
        """Trainable parameters: weights, bias, and the scale and shift of a batch norm."""
        if self.kind not in ("conv", "linear"):
            return 0
        weights = self.shape[0] * (self.in_shape[0] // self.groups) * self.kernel**2
        return weights + self.shape[0] * (int(self.bias) + 2 * int(self.bn))


@dataclass(frozen=True)
class LayerSpec:
    """One profiled unit: its key (a row name of latency tables), input shape and ops.

    Two specs are equal when their keys are: the key states everything latency depends on.
    """

    key: str
    input_shape: Shape = field(compare=False)
    ops: tuple[Op, ...] = field(compare=False, repr=False)

    @property
    def output_shape(self) -> Shape:
        return self.ops[-1].shape

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and linear maps (squeeze-excite included; batch
        norms, activations, poolings and additions not), for one image."""
        return sum(op.macs for op in self.ops)

    @cached_property
    def params(self) -> int:
        """Trainable parameters, batch norms included, running statistics not."""
        return sum(op.params for op in self.ops)


class OpList:
    """Builds the ops of a layer, tracking shapes. Methods return the index of the new value."""

    def __init__(self, input_shape: Shape) -> None:
        self.ops: list[Op] = []
        self._shapes: list[Shape] = [input_shape]

    def conv(
        self,
        name: str,
        x: int,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = False,
        bn: bool = True,
        act: Activation | None = None,
    ) -> int:
        """Convolution padded by ``kernel // 2``, then batch norm and activation if asked."""
        _, height, width = self._shapes[x]
        shape = (channels, _strided(height, stride), _strided(width, stride))
        y = self._append(Op(name, "conv", (x,), self._shapes[x], shape, kernel, stride, groups, bias, bn))
        return y if act is None else self.act(f"{name}.{act}", y, act)

    def linear(self, name: str, x: int, features: int) -> int:
        return self._append(Op(name, "linear", (x,), self._shapes[x], (features,), bias=True))

    def act(self, name: str, x: int, function: Activation) -> int:
        shape = self._shapes[x]
        return self._append(Op(name, "act", (x,), shape, shape, function=function))

    def add(self, name: str, x: int, y: int) -> int:
        shape = self._shapes[x]
        return self._append(Op(name, "add", (x, y), shape, shape))

    def mul(self, name: str, x: int, y: int) -> int:
        """``x * y``; ``y`` may have height and width 1 (a channel gate)."""
        shape = self._shapes[x]
        return self._append(Op(name, "mul", (x, y), shape, shape))

    def pool(self, name: str, kind: Literal["max_pool", "avg_pool"], x: int, kernel: int, stride: int) -> int:
        channels, height, width = self._shapes[x]
        shape = (channels, _strided(height, stride), _strided(width, stride))
        return self._append(Op(name, kind, (x,), self._shapes[x], shape, kernel, stride))

    def global_pool(self, name: str, x: int) -> int:
        shape = self._shapes[x]
        return self._append(Op(name, "global_pool", (x,), shape, (shape[0], 1, 1)))

    def flatten(self, name: str, x: int) -> int:
        shape = self._shapes[x]
        size = shape[0] * shape[1] * shape[2]
        return self._append(Op(name, "flatten", (x,), shape, (size,)))

    def channels(self, x: int) -> int:
        return self._shapes[x][0]

    def _append(self, op: Op) -> int:
        self.ops.append(op)
        self._shapes.append(op.shape)
        return len(self.ops)


def _strided(size: int, stride: int) -> int:
    return (size - 1) // stride + 1
