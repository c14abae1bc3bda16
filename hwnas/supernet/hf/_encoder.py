"""Encoders of tokens as search spaces: depth, heads and FFN width of every layer, and the length of the input.

One description covers BERT-like encoders (normalised after each residual) and ViT-like ones (before it). The genes are those of
DynaBERT (Hou et al. 2020, arXiv:2004.04037) and InstaTune (Sarah et al. 2023, arXiv:2308.15609). On request the number of
channels between layers is a gene too, as in HAT (Wang et al. 2020, arXiv:2005.14187).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from hwnas.space import Gene, LayerSpec, OpList, SearchSpace, Slot, conditional
from hwnas.space.ops import LENGTH, Function


@dataclass(frozen=True)
class Head:
    """The head on the last layer's tokens.

    Attributes:
        pool: the first token, the first two side by side, the first beside the mean of all others, or the mean of the tokens
            that the mask keeps.
        features: outputs of a linear map before the classifier; 0 without one.
        function: activation of this linear map.
    """

    pool: Literal["first", "pair", "first_and_mean", "mean"] = "first"
    features: int = 0
    function: Function = "tanh"

    @property
    def two(self) -> bool:
        """Whether the classifier reads two vectors side by side."""
        return self.pool in ("pair", "first_and_mean")


@dataclass(frozen=True)
class Encoder:
    """The largest encoder, as its configuration states it.

    Attributes:
        layers: number of layers.
        heads, channels, ffn: heads, channels and FFN neurons of each layer.
        function: activation of the FFN.
        eps: of layer norms.
        norm_first: whether a layer normalises its inputs (ViT) or its results (BERT).
        head: see `Head`.
        classes: number of logits.
        qkv_bias: whether queries, keys and values have a bias.
        widths: choices of the number of channels, up to all of them; empty for no choice.
    """

    layers: int
    heads: int
    channels: int
    ffn: int
    function: Function
    eps: float
    norm_first: bool
    head: Head
    classes: int
    qkv_bias: bool = True
    widths: tuple[int, ...] = ()

    @property
    def head_size(self) -> int:
        """Channels of one head."""
        return self.channels // self.heads


def kept_layers(depth: int, layers: int) -> list[int]:
    """The layers that a depth keeps: evenly spread, with the first and the last. A depth of 4 of 6 keeps 0, 1, 3, 5."""
    if depth == 1:
        return [0]
    return [i * (layers - 1) // (depth - 1) for i in range(depth)]


class EncoderInput(Protocol):
    """The input of an encoder, and its embedding into tokens."""

    @property
    def masked(self) -> bool:
        """Whether some tokens may be padding; then `embeddings` writes the value ``padding``."""

    @property
    def gene(self) -> Gene:
        """The input gene; its last choice is the largest."""

    @property
    def suffix(self) -> str:
        """Its part of the space's name; may be empty."""

    def tokens(self, size: int) -> int:
        """Number of tokens for a value of the gene."""

    def embeddings(self, size: int, channels: int, eps: float) -> LayerSpec:
        """The first layer, with output ``(tokens, channels)``; ``eps`` is that of its norm."""


def encoder_space(kind: str, encoder: Encoder, fed: EncoderInput) -> SearchSpace:
    """The search space of an encoder.

    Genes are in the order d, h (all layers), f (all layers), c (if there is a choice of channels), input. Slots are
    ``embeddings``, ``layer.<i>``, ``head``.
    """
    channels = f"{encoder.channels}" + "".join(f".{width}" for width in encoder.widths[-2::-1])
    name = f"{kind}-{encoder.layers}x{channels}-h{encoder.heads}-f{encoder.ffn}{fed.suffix}"
    genes = encoder_genes(encoder)
    size = len(genes)
    genes.append(fed.gene)
    everywhere = (size, size - 1) if encoder.widths else (size,)

    def embeddings(n: int, channels: int = encoder.channels) -> LayerSpec:
        return fed.embeddings(n, channels, encoder.eps)

    def head(n: int, channels: int = encoder.channels) -> LayerSpec:
        return _head(encoder, fed.tokens(n), channels, masked=fed.masked)

    slots = [Slot("embeddings", everywhere, embeddings)]
    slots += encoder_slots(encoder, size, fed.tokens, masked=fed.masked)
    slots.append(Slot("head", everywhere, head))
    return SearchSpace(name, genes, slots)


def encoder_genes(encoder: Encoder) -> list[Gene]:
    """Genes: depth, the heads of all layers, the FFN widths of all layers (a skipped layer's are inactive), channels."""
    depths = tuple(range(max(1, -(-encoder.layers // 3)), encoder.layers + 1))
    heads = parts(encoder.heads, 3)
    widths = parts(encoder.ffn, 4)
    genes = [Gene("d", None, depths)]
    for group, choices in (("h", heads), ("f", widths)):
        for layer in range(encoder.layers):
            active = [i for i, depth in enumerate(depths) if layer in kept_layers(depth, encoder.layers)]
            gene = Gene(group, layer, choices)
            genes.append(gene if len(active) == len(depths) else conditional(gene, 0, active))
    return [*genes, Gene("c", None, encoder.widths)] if encoder.widths else genes


def encoder_slots(encoder: Encoder, size: int, tokens: Callable[[int], int], *, masked: bool) -> list[Slot]:
    """One slot per layer.

    Args:
        encoder: its layers.
        size: column of the input gene, behind those of `encoder_genes`.
        tokens: maps a value of the input gene to the number of tokens.
        masked: whether some tokens may be padding.
    """
    slots = []
    for layer in range(encoder.layers):
        columns = (size, 0, 1 + layer, 1 + encoder.layers + layer, *([size - 1] if encoder.widths else []))
        slots.append(Slot(f"layer.{layer}", columns, _layer_builder(encoder, layer, tokens, masked=masked)))
    return slots


def _layer_builder(
    encoder: Encoder, layer: int, tokens: Callable[[int], int], *, masked: bool
) -> Callable[..., LayerSpec | None]:
    def build(size: int, depth: int, heads: int, ffn: int, channels: int = encoder.channels) -> LayerSpec | None:
        if layer not in kept_layers(depth, encoder.layers):
            return None
        return encoder_layer(encoder, tokens(size), heads, ffn, channels, masked=masked)

    return build


def encoder_layer(encoder: Encoder, tokens: int, heads: int, ffn: int, channels: int, *, masked: bool) -> LayerSpec:
    """A layer: attention and FFN, each with a residual and a norm."""
    ops = OpList((tokens, channels))
    bias = ops.read("padding", (tokens,)) if masked else None
    x = ops.layer_norm("attention.norm", 0, encoder.eps) if encoder.norm_first else 0
    width = heads * encoder.head_size
    query, key, value = (ops.linear(part, x, width, bias=encoder.qkv_bias) for part in ("query", "key", "value"))
    mixed = ops.attention("attention", query, key, value, bias, heads=heads)
    x = ops.add("attention.residual", ops.linear("attention.output", mixed, channels), 0)
    if not encoder.norm_first:
        x = ops.layer_norm("attention.norm", x, encoder.eps)
    inner = ops.layer_norm("ffn.norm", x, encoder.eps) if encoder.norm_first else x
    inner = ops.act(f"ffn.{encoder.function}", ops.linear("ffn.inner", inner, ffn), encoder.function)
    x = ops.add("ffn.residual", ops.linear("ffn.output", inner, channels), x)
    if not encoder.norm_first:
        ops.layer_norm("ffn.norm", x, encoder.eps)
    order = "pre" if encoder.norm_first else "post"
    shape = f"l{tokens}-c{channels}-h{heads}x{encoder.head_size}-f{ffn}"
    bare = "" if encoder.qkv_bias else "-nobias"
    return ops.layer(f"encoder-{shape}-{encoder.function}-{order}-mask{int(masked)}{bare}")


def _head(encoder: Encoder, tokens: int, channels: int, *, masked: bool) -> LayerSpec:
    head = encoder.head
    ops = OpList((tokens, channels))
    x = ops.take("pool", 0) if head.pool == "first" else ops.slice("pair", 0, 0, 2) if head.pool == "pair" else 0
    if encoder.norm_first:
        x = ops.layer_norm("norm", x, encoder.eps)
    if head.pool == "pair":
        x = ops.flatten("pool", x)
    elif head.pool == "first_and_mean":
        mean = ops.mean_tokens("mean", ops.slice("others", x, 1, tokens))
        x = ops.concat("pool", ops.take("first", x), mean)
    elif head.pool == "mean":
        mask = ops.read("attention_mask", (tokens,), "int64", below=2, axes=(LENGTH,)) if masked else None
        x = ops.mean_tokens("pool", x, mask)
    if head.features:
        x = ops.act(f"dense.{head.function}", ops.linear("dense", x, head.features), head.function)
    ops.linear("classifier", x, encoder.classes)
    details = f"{head.pool}-d{head.features}-{head.function}" if head.features else head.pool
    key = f"encoderhead-l{tokens}-c{channels}-{details}-norm{int(encoder.norm_first)}-mask{int(masked)}"
    return ops.layer(f"{key}-o{encoder.classes}")


def parts(whole: int, n: int) -> tuple[int, ...]:
    """1/n, 2/n, ... of a whole, for the largest n whose parts are integers: 4, 8, 12 of 12 for n = 3; 2, 4 of 4."""
    n = next(k for k in range(min(n, whole), 0, -1) if whole % k == 0)
    return tuple(whole * i // n for i in range(1, n + 1))
