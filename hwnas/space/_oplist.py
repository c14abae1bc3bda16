"""OpList: builds the layers of a space, op by op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hwnas.space import ops as kinds
from hwnas.space._layer import LayerSpec
from hwnas.space.ops import Border, Element, Function, Interpolation, Op, Pads, Pair, Shape, TensorSpec, half_padding


class OpList:
    """Builds the ops of a layer, and tracks their shapes.

    Values are numbered: 0 is the layer's input, and every method returns the number of its output, which later methods take as
    ``x``. The name of an op is its role in the layer; ``<slot>/<name>`` identifies its weights.

    Args:
        input_shape: of the layer's input, without the batch axis; ``()`` for a first layer that reads only named inputs.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.ops: list[Op] = []
        self._shapes: list[Shape] = [input_shape]

    def layer(self, key: str) -> LayerSpec:
        """The layer of these ops. ``key`` must contain everything that latency depends on."""
        return LayerSpec(key, self._shapes[0], tuple(self.ops))

    def shape(self, x: int) -> Shape:
        """Shape of a value."""
        return self._shapes[x]

    def channels(self, x: int) -> int:
        """Length of a value's first axis: the channels of a feature map."""
        return self._shapes[x][0]

    def apply(self, kind: Callable[..., Op], name: str, *inputs: int, **settings: Any) -> int:
        """An op of any class, including a plug-in's: ``ops.apply(Linear, "head", x, features=10)``."""
        op = kind(name, inputs, tuple(self._shapes[i] for i in inputs), **settings)
        self.ops.append(op)
        self._shapes.append(op.shape)
        return len(self.ops)

    # --- named values -------------------------------------------------------------------------

    def read(
        self,
        value: str,
        shape: Shape,
        element: Element = "float32",
        *,
        below: int | None = None,
        axes: tuple[str, ...] = (),
    ) -> int:
        """A named value from outside the layer: one that an earlier layer wrote, or an input of the network.

        Args:
            value: name of the value and the op: ``"input_ids"``, ``"attention_mask"``.
            shape: without the batch axis.
            element: type of its elements.
            below, axes: see `TensorSpec`.
        """
        return self.apply(kinds.Read, value, value=value, spec=TensorSpec(shape, element, below, axes))

    def write(self, value: str, x: int, *, output: bool = False, axes: tuple[str, ...] = ()) -> int:
        """Keep ``x`` under a name for later layers, and with ``output`` also as an output of the network."""
        return self.apply(kinds.Write, f"{value}.write", x, value=value, output=output, axes=axes)

    # --- convolutions and linear maps -----------------------------------------------------------

    def conv(
        self,
        name: str,
        x: int,
        channels: int,
        kernel: int | Pair = 1,
        stride: int | Pair = 1,
        *,
        pads: Pads | None = None,
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = False,
        bn: bool = True,
        act: Function | None = None,
    ) -> int:
        """Convolution of ``(channels, height, width)``, with optional batch norm and activation.

        Args:
            name: of the convolution; the activation is ``<name>.<act>``.
            x: its input.
            channels: of the output.
            kernel, stride, dilation: along height and width, or one number for both.
            pads: zeros at top, left, bottom, right; by default half the kernel on each side.
            groups: of channels that are convolved separately; a depthwise convolution has as many as channels.
            bias: whether it has a bias.
            bn: whether a batch norm follows.
            act: activation after it.
        """
        window, spread = _pair(kernel), _pair(dilation)
        around = half_padding(window, spread) if pads is None else pads
        y = self.apply(
            kinds.Conv,
            name,
            x,
            channels=channels,
            kernel=window,
            stride=_pair(stride),
            pads=around,
            dilation=spread,
            groups=groups,
            bias=bias,
            bn=bn,
        )
        return y if act is None else self.act(f"{name}.{act}", y, act)

    def linear(self, name: str, x: int, features: int, *, bias: bool = True, causal: bool = False) -> int:
        """Linear map over the last axis of ``(features,)`` or ``(tokens, channels)``.

        Args:
            name: of the op.
            x: its input.
            features: of the output.
            bias: whether it has a bias.
            causal: see `Linear`; True in decoders.
        """
        return self.apply(kinds.Linear, name, x, features=features, bias=bias, causal=causal)

    def tied_linear(self, name: str, x: int, entries: int, table: str) -> int:
        """Logits of tokens, with the table of the embedding ``<slot>/<op>`` as weights."""
        return self.apply(kinds.TiedLinear, name, x, entries=entries, table=table)

    # --- element by element -------------------------------------------------------------------

    def act(self, name: str, x: int, function: Function) -> int:
        """An activation of every element."""
        return self.apply(kinds.Activation, name, x, function=function)

    def prelu(self, name: str, x: int) -> int:
        """Negative elements times a slope per channel."""
        return self.apply(kinds.PRelu, name, x)

    def power(self, name: str, x: int, exponent: float, least: float = 0.0) -> int:
        """A power of every element, which counts as ``least`` if it is less."""
        return self.apply(kinds.Power, name, x, exponent=exponent, least=least)

    def add(self, name: str, x: int, y: int) -> int:
        """``x + y`` of one shape."""
        return self.apply(kinds.Add, name, x, y)

    def mul(self, name: str, x: int, y: int) -> int:
        """``x * y``; ``y`` may have height and width 1 (a gate per channel), or one channel (a gate per pixel)."""
        return self.apply(kinds.Mul, name, x, y)

    # --- pooling ------------------------------------------------------------------------------

    def max_pool(
        self,
        name: str,
        x: int,
        kernel: int | Pair,
        stride: int | Pair,
        *,
        pads: Pads | None = None,
        ceil: bool = False,
    ) -> int:
        """Largest element of each window; by default padded by half the window on each side."""
        window = _pair(kernel)
        around = half_padding(window) if pads is None else pads
        return self.apply(kinds.MaxPool, name, x, kernel=window, stride=_pair(stride), pads=around, ceil=ceil)

    def avg_pool(
        self,
        name: str,
        x: int,
        kernel: int | Pair,
        stride: int | Pair,
        *,
        pads: Pads = (0, 0, 0, 0),
        ceil: bool = True,
    ) -> int:
        """Mean of each window's elements inside the feature map; with ``ceil`` a last partial window counts too."""
        return self.apply(kinds.AvgPool, name, x, kernel=_pair(kernel), stride=_pair(stride), pads=pads, ceil=ceil)

    def padded_avg_pool(self, name: str, x: int, kernel: int | Pair, stride: int | Pair, *, pads: Pads) -> int:
        """Mean of each window's elements, with zeros around the feature map."""
        return self.apply(kinds.PaddedAvgPool, name, x, kernel=_pair(kernel), stride=_pair(stride), pads=pads)

    def global_pool(self, name: str, x: int) -> int:
        """Mean over height and width, which stay as axes of length 1."""
        return self.apply(kinds.GlobalPool, name, x)

    def global_max_pool(self, name: str, x: int) -> int:
        """Largest element over height and width, kept as 1x1."""
        return self.apply(kinds.GlobalMaxPool, name, x)

    def channel_mean(self, name: str, x: int) -> int:
        """Mean over the channels, kept as one."""
        return self.apply(kinds.ChannelMean, name, x)

    def channel_max(self, name: str, x: int) -> int:
        """Largest element over the channels, kept as one."""
        return self.apply(kinds.ChannelMax, name, x)

    def mean_tokens(self, name: str, x: int, mask: int | None = None) -> int:
        """``(channels,)``: mean over the tokens of ``(tokens, channels)``, or over those where an int64 mask is 1."""
        return self.apply(kinds.MeanTokens, name, *([x] if mask is None else [x, mask]))

    # --- larger maps --------------------------------------------------------------------------

    def pad(self, name: str, x: int, pads: Pads, mode: Border = "reflect") -> int:
        """Rows and columns around the map, which mirror it or repeat its edge."""
        return self.apply(kinds.Pad, name, x, pads=pads, mode=mode)

    def upsample(self, name: str, x: int, factor: int | Pair, mode: Interpolation) -> int:
        """Height and width times whole numbers; see `Upsample`."""
        return self.apply(kinds.Upsample, name, x, factor=_pair(factor), mode=mode)

    # --- normalisation ------------------------------------------------------------------------

    def batch_norm(self, name: str, x: int) -> int:
        """A separate batch norm over the first axis; a batch norm after a convolution is part of `conv`."""
        return self.apply(kinds.BatchNorm, name, x)

    def affine(self, name: str, x: int, *, axis: int = 0) -> int:
        """A trained scale and shift per element of an axis: the channels by default."""
        return self.apply(kinds.Affine, name, x, axis=axis)

    def group_norm(self, name: str, x: int, groups: int, eps: float = 1e-5) -> int:
        """Group norm of ``(channels, ...)``; with as many groups as channels it is an instance norm."""
        return self.apply(kinds.GroupNorm, name, x, groups=groups, eps=eps)

    def layer_norm(self, name: str, x: int, eps: float = 1e-5) -> int:
        """Layer norm over the last axis."""
        return self.apply(kinds.LayerNorm, name, x, eps=eps)

    def local_response_norm(
        self, name: str, x: int, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> int:
        """Values divided by a power of the mean square of ``size`` channels around them."""
        return self.apply(kinds.LocalResponseNorm, name, x, size=size, alpha=alpha, beta=beta, k=k)

    def response_norm(self, name: str, x: int, *, axis: int = 0, eps: float = 1e-6) -> int:
        """Each channel times its length over the map, as a multiple of the mean length; ``axis`` is that of the channels."""
        return self.apply(kinds.ResponseNorm, name, x, axis=axis, eps=eps)

    def rms_norm(self, name: str, x: int, eps: float = 1e-5) -> int:
        """Root-mean-square norm over the last axis."""
        return self.apply(kinds.RMSNorm, name, x, eps=eps)

    # --- sequences ----------------------------------------------------------------------------

    def attention(
        self,
        name: str,
        query: int,
        key: int,
        value: int,
        bias: int | None = None,
        *,
        heads: int,
        kv_heads: int | None = None,
    ) -> int:
        """Multi-head attention of projected ``(tokens, heads * d)`` queries, keys and values, or of `split_heads` of them.

        Args:
            name: of the op, which has no weights; the projections before and after it have.
            query, key, value: values.
            bias: added to the scores of keys: from `padding_bias` or `causal_bias`.
            heads: of the queries.
            kv_heads: of keys and values; by default ``heads``.
        """
        inputs = [query, key, value] if bias is None else [query, key, value, bias]
        return self.apply(kinds.Attention, name, *inputs, heads=heads, kv_heads=kv_heads or heads)

    def split_heads(self, name: str, x: int, heads: int) -> int:
        """``(tokens, heads * d)`` to ``(heads, tokens, d)``."""
        return self.apply(kinds.SplitHeads, name, x, heads=heads)

    def angles(self, name: str, places: int, size: int, theta: float) -> tuple[int, int]:
        """Cosines and sines ``(tokens, size)`` for `rotary`, from positions ``(tokens,)``."""
        cos, sin = (
            self.apply(kinds.Angles, f"{name}.{function}", places, size=size, theta=theta, function=function)
            for function in ("cos", "sin")
        )
        return cos, sin

    def rotary(self, name: str, x: int, cos: int, sin: int) -> int:
        """``(heads, tokens, d)`` rotated by angles that depend on the positions."""
        return self.apply(kinds.Rotary, name, x, cos, sin)

    def causal_bias(self, name: str, ids: int, mask: int) -> int:
        """Bias for attention that shows each token only itself and earlier tokens, where a mask ``(others,)`` is 1."""
        return self.apply(kinds.CausalBias, name, ids, mask)

    def padding_bias(self, name: str, mask: int) -> int:
        """Bias for attention from an int64 mask ``(tokens,)``: 1 for a token, 0 for padding."""
        return self.apply(kinds.PaddingBias, name, mask)

    def embedding(self, name: str, ids: int, entries: int, channels: int, *, tied: bool = False) -> int:
        """A row of a table ``(entries, channels)`` for each int64 of ``(tokens,)``; ``tied`` if `tied_linear` reads it too."""
        return self.apply(kinds.Embedding, name, ids, entries=entries, channels=channels, tied=tied)

    def shared_row(self, name: str, ids: int, entries: int, rows: int) -> int:
        """Row of a table with ``rows`` rows for each int64 of ``(tokens,)``, which are less than ``entries``."""
        return self.apply(kinds.SharedRow, name, ids, entries=entries, rows=rows)

    def positions(self, name: str, x: int, entries: int) -> int:
        """Add to each token of ``(tokens, channels)`` its row of a learned table ``(entries, channels)``."""
        return self.apply(kinds.Positions, name, x, entries=entries)

    def grid_positions(self, name: str, x: int, leading: int, side: int) -> int:
        """Add learned vectors to ``leading`` tokens and the square grid of patches after them.

        Args:
            name: of the op.
            x: ``(leading + s * s, channels)``.
            leading: tokens before the grid, such as a class token.
            side: of the table's grid, which is the largest; it is resized for smaller ones.
        """
        return self.apply(kinds.GridPositions, name, x, leading=leading, side=side)

    def class_token(self, name: str, x: int) -> int:
        """Put one learned token before those of ``(tokens, channels)``."""
        return self.apply(kinds.ClassToken, name, x)

    def convert(self, name: str, x: int, to: str) -> int:
        """The same values as numbers of another precision."""
        return self.apply(kinds.Convert, name, x, to=to)

    # --- shapes -------------------------------------------------------------------------------

    def flatten(self, name: str, x: int) -> int:
        """All axes as one."""
        return self.apply(kinds.Flatten, name, x)

    def reshape(self, name: str, x: int, to: Shape) -> int:
        """The same elements in the shape ``to``."""
        return self.apply(kinds.Reshape, name, x, to=to)

    def transpose(self, name: str, x: int, axes: tuple[int, ...]) -> int:
        """The axes, counted without the batch axis, in another order."""
        return self.apply(kinds.Transpose, name, x, axes=axes)

    def shuffle(self, name: str, x: int, groups: int) -> int:
        """Channels as ``groups`` rows, read by columns."""
        return self.apply(kinds.Shuffle, name, x, groups=groups)

    def concat(self, name: str, *inputs: int, axis: int = 0) -> int:
        """Concatenation along an axis: by default the channels."""
        return self.apply(kinds.Concat, name, *inputs, axis=axis)

    def slice(self, name: str, x: int, start: int, stop: int, *, axis: int = 0) -> int:
        """Elements ``start`` to ``stop`` (not included) of an axis."""
        return self.apply(kinds.Slice, name, x, start=start, stop=stop, axis=axis)

    def take(self, name: str, x: int, index: int = 0, *, axis: int = 0) -> int:
        """One element of an axis, without that axis: the class token of a sequence."""
        return self.apply(kinds.Take, name, x, index=index, axis=axis)


def _pair(size: int | Pair) -> Pair:
    return (size, size) if isinstance(size, int) else size
