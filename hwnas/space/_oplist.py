"""OpList: what authors of spaces write layers with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hwnas.space._layer import LayerSpec
from hwnas.space.ops import (
    Activation,
    Add,
    Affine,
    Angles,
    Attention,
    AvgPool,
    BatchNorm,
    CausalBias,
    ClassToken,
    Concat,
    Conv,
    Convert,
    Element,
    Embedding,
    Flatten,
    Function,
    GlobalMaxPool,
    GlobalPool,
    GridPositions,
    LayerNorm,
    Linear,
    MaxPool,
    MeanTokens,
    Mul,
    Op,
    PaddingBias,
    Pads,
    Pair,
    Positions,
    PRelu,
    Read,
    Reshape,
    RMSNorm,
    Rotary,
    Shape,
    SharedRow,
    Shuffle,
    Slice,
    SplitHeads,
    Take,
    TensorSpec,
    TiedLinear,
    Transpose,
    Write,
    half_padding,
)


class OpList:
    """Builds the ops of a layer, tracking shapes.

    Values are counted: 0 is the layer's input, and every method returns the number of the value it adds, which later
    ones take as ``x``. Names say what an op is for within its layer; its weights are found by ``<slot>/<name>``.

    Args:
        input_shape: of the layer's input, without the batch axis; ``()`` for a first layer that reads named inputs alone.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.ops: list[Op] = []
        self._shapes: list[Shape] = [input_shape]

    def layer(self, key: str) -> LayerSpec:
        """The layer of these ops. ``key`` must state everything that latency depends on."""
        return LayerSpec(key, self._shapes[0], tuple(self.ops))

    def shape(self, x: int) -> Shape:
        """Shape of a value."""
        return self._shapes[x]

    def channels(self, x: int) -> int:
        """Length of a value's first axis: the channels of a feature map."""
        return self._shapes[x][0]

    def apply(self, kind: Callable[..., Op], name: str, *inputs: int, **settings: Any) -> int:
        """An op of any class, a plug-in's too: ``ops.apply(Linear, "head", x, features=10)``."""
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
        """A value from outside the layer: what an earlier layer wrote under this name, or an input of the network.

        Args:
            value: its name, and the op's: ``"input_ids"``, ``"attention_mask"``.
            shape: without the batch axis.
            element: type of its elements.
            below: what integers are less than; feeds for timing are drawn below it.
            axes: names of those that may be of another size in every run, as of `TensorSpec`.
        """
        return self.apply(Read, value, value=value, spec=TensorSpec(shape, element, below, axes))

    def write(self, value: str, x: int, *, output: bool = False, axes: tuple[str, ...] = ()) -> int:
        """Keeps ``x`` for later layers under a name, and returns it; as an output, the network's user gets it too."""
        return self.apply(Write, f"{value}.write", x, value=value, output=output, axes=axes)

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
        """Convolution of ``(channels, height, width)``, then batch norm and activation if asked.

        Args:
            name: of the convolution; the activation is ``<name>.<act>``.
            x: its input.
            channels: of the output.
            kernel, stride, dilation: along height and width, or one number for both.
            pads: zeros at top, left, bottom, right; half the kernel on each side by default.
            groups: of channels that are convolved on their own; as many as channels for a depthwise one.
            bias: whether it has an additive bias.
            bn: whether a batch norm follows.
            act: activation after it.
        """
        window, spread = _pair(kernel), _pair(dilation)
        around = half_padding(window, spread) if pads is None else pads
        y = self.apply(
            Conv,
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
        """Linear map of the last axis to ``features``: of ``(features,)``, or of each of ``(tokens, channels)``.

        Args:
            name: of the op.
            x: the value.
            features: of the result.
            bias: whether there is one.
            causal: whether no token's result may depend on other tokens, in no precision: decoders of text.
        """
        return self.apply(Linear, name, x, features=features, bias=bias, causal=causal)

    def tied_linear(self, name: str, x: int, entries: int, table: str) -> int:
        """Logits of tokens by the table of an embedding in another layer, ``<slot>/<op>``."""
        return self.apply(TiedLinear, name, x, entries=entries, table=table)

    # --- element by element -------------------------------------------------------------------

    def act(self, name: str, x: int, function: Function) -> int:
        """An activation of every element."""
        return self.apply(Activation, name, x, function=function)

    def prelu(self, name: str, x: int) -> int:
        """Negative elements times a slope per channel."""
        return self.apply(PRelu, name, x)

    def add(self, name: str, x: int, y: int) -> int:
        """``x + y`` of one shape."""
        return self.apply(Add, name, x, y)

    def mul(self, name: str, x: int, y: int) -> int:
        """``x * y``; ``y`` may have height and width 1 (a channel gate)."""
        return self.apply(Mul, name, x, y)

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
        """Largest element of each window; padded by half of it on each side by default."""
        window = _pair(kernel)
        around = half_padding(window) if pads is None else pads
        return self.apply(MaxPool, name, x, kernel=window, stride=_pair(stride), pads=around, ceil=ceil)

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
        """Mean of each window's elements inside the feature map; a last window that hangs over its edge counts, too."""
        return self.apply(AvgPool, name, x, kernel=_pair(kernel), stride=_pair(stride), pads=pads, ceil=ceil)

    def global_pool(self, name: str, x: int) -> int:
        """Mean over height and width, which stay as axes of length 1."""
        return self.apply(GlobalPool, name, x)

    def global_max_pool(self, name: str, x: int) -> int:
        """Largest element over height and width, kept as 1x1."""
        return self.apply(GlobalMaxPool, name, x)

    def mean_tokens(self, name: str, x: int, mask: int | None = None) -> int:
        """Mean over the tokens of ``(tokens, channels)``: ``(channels,)``; over those where an int64 mask is 1, if given."""
        return self.apply(MeanTokens, name, *([x] if mask is None else [x, mask]))

    # --- normalisation ------------------------------------------------------------------------

    def batch_norm(self, name: str, x: int) -> int:
        """A batch norm of its own, over the first axis; one after a convolution is part of `conv`."""
        return self.apply(BatchNorm, name, x)

    def affine(self, name: str, x: int, *, axis: int = 0) -> int:
        """A trained scale and shift per element of an axis: the channels by default."""
        return self.apply(Affine, name, x, axis=axis)

    def layer_norm(self, name: str, x: int, eps: float = 1e-5) -> int:
        """Layer norm over the last axis."""
        return self.apply(LayerNorm, name, x, eps=eps)

    def rms_norm(self, name: str, x: int, eps: float = 1e-5) -> int:
        """Root-mean-square norm over the last axis."""
        return self.apply(RMSNorm, name, x, eps=eps)

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
        """Multi-head attention of projected ``(tokens, heads * d)`` queries, keys and values, or of those that were split.

        Args:
            name: of the op; it has no weights, the projections before and after it have.
            query, key, value: values.
            bias: added to the scores of keys: what `padding_bias` or `causal_bias` makes from a mask.
            heads: of the queries.
            kv_heads: of keys and values; as many as of queries by default.
        """
        inputs = [query, key, value] if bias is None else [query, key, value, bias]
        return self.apply(Attention, name, *inputs, heads=heads, kv_heads=kv_heads or heads)

    def split_heads(self, name: str, x: int, heads: int) -> int:
        """``(tokens, heads * d)`` by head: ``(heads, tokens, d)``."""
        return self.apply(SplitHeads, name, x, heads=heads)

    def angles(self, name: str, places: int, size: int, theta: float) -> tuple[int, int]:
        """Cosines and sines ``(tokens, size)`` by which `rotary` turns what stands at places ``(tokens,)``."""
        cos, sin = (
            self.apply(Angles, f"{name}.{function}", places, size=size, theta=theta, function=function)
            for function in ("cos", "sin")
        )
        return cos, sin

    def rotary(self, name: str, x: int, cos: int, sin: int) -> int:
        """``(heads, tokens, d)`` turned by its places."""
        return self.apply(Rotary, name, x, cos, sin)

    def causal_bias(self, name: str, ids: int, mask: int) -> int:
        """What attention adds to scores so that a token sees itself and those before it that a mask ``(others,)`` shows."""
        return self.apply(CausalBias, name, ids, mask)

    def padding_bias(self, name: str, mask: int) -> int:
        """What attention adds to scores, from an int64 mask ``(tokens,)``: 1 for a token, 0 for padding."""
        return self.apply(PaddingBias, name, mask)

    def embedding(self, name: str, ids: int, entries: int, channels: int, *, tied: bool = False) -> int:
        """A row of a table ``(entries, channels)`` for each int64 of ``(tokens,)``; ``tied`` if `tied_linear` reads it too."""
        return self.apply(Embedding, name, ids, entries=entries, channels=channels, tied=tied)

    def shared_row(self, name: str, ids: int, entries: int, rows: int) -> int:
        """Which of a table's rows stands for each int64 of ``(tokens,)``, all below ``entries``."""
        return self.apply(SharedRow, name, ids, entries=entries, rows=rows)

    def positions(self, name: str, x: int, entries: int) -> int:
        """Adds to each token of ``(tokens, channels)`` its row of a learned table ``(entries, channels)``."""
        return self.apply(Positions, name, x, entries=entries)

    def grid_positions(self, name: str, x: int, leading: int, side: int) -> int:
        """Adds learned vectors to ``leading`` tokens and a square grid of patches after them.

        Args:
            name: of the op.
            x: ``(leading + s * s, channels)``.
            leading: tokens before the grid: a class token.
            side: of the largest grid, which the table is of; it is resized for smaller ones.
        """
        return self.apply(GridPositions, name, x, leading=leading, side=side)

    def class_token(self, name: str, x: int) -> int:
        """Puts one learned token before those of ``(tokens, channels)``."""
        return self.apply(ClassToken, name, x)

    def convert(self, name: str, x: int, to: str) -> int:
        """The same values as numbers of another precision."""
        return self.apply(Convert, name, x, to=to)

    # --- shapes -------------------------------------------------------------------------------

    def flatten(self, name: str, x: int) -> int:
        """All axes as one."""
        return self.apply(Flatten, name, x)

    def reshape(self, name: str, x: int, to: Shape) -> int:
        """The same elements in the shape ``to``."""
        return self.apply(Reshape, name, x, to=to)

    def transpose(self, name: str, x: int, axes: tuple[int, ...]) -> int:
        """The axes, counted without the batch axis, in another order."""
        return self.apply(Transpose, name, x, axes=axes)

    def shuffle(self, name: str, x: int, groups: int) -> int:
        """Channels as ``groups`` rows, read by columns."""
        return self.apply(Shuffle, name, x, groups=groups)

    def concat(self, name: str, *inputs: int, axis: int = 0) -> int:
        """Values one after another along an axis: the channels by default."""
        return self.apply(Concat, name, *inputs, axis=axis)

    def slice(self, name: str, x: int, start: int, stop: int, *, axis: int = 0) -> int:
        """Elements ``start`` to ``stop`` (not included) of an axis."""
        return self.apply(Slice, name, x, start=start, stop=stop, axis=axis)

    def take(self, name: str, x: int, index: int = 0, *, axis: int = 0) -> int:
        """One element of an axis, and that axis no more: the class token of a sequence."""
        return self.apply(Take, name, x, index=index, axis=axis)


def _pair(size: int | Pair) -> Pair:
    return (size, size) if isinstance(size, int) else size
