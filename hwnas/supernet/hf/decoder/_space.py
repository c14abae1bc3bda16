"""Decoders of text as search spaces: the number of key-value heads and of FFN neurons of every layer, either of which may be 0.

A layer is two slots, attention and FFN, each with its residual, so that a slot that is left out passes its input on. These are
the replacements that Puzzle scores one by one (Bercovich et al. 2024, arXiv:2411.19146). A run is ``l`` tokens after ``p``
cached ones: reading a prompt has p = 0, and a step of generation has l = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwnas.space import Gene, LayerSpec, OpList, SearchSpace, Slot
from hwnas.space.ops import LENGTH, PAST, TOTAL, Function
from hwnas.supernet.hf._encoder import parts

LENGTHS, PASTS = (1, 128, 512), (0, 128, 512)
"""Usual choices of the number of tokens in a run, and in the cache before it."""


@dataclass(frozen=True)
class Decoder:
    """The largest decoder, as its configuration states it.

    Attributes:
        layers: number of layers.
        channels, ffn: channels and FFN neurons of each layer.
        heads, kv_heads, head_size: heads of queries, heads of keys and values, and channels of a head.
        function: activation of the FFN's gate (Shazeer 2020, arXiv:2002.05202).
        eps: of root-mean-square norms.
        theta: base of rotary positions.
        vocabulary: number of tokens.
        positions: longest text, in tokens.
        tied: whether the embedding table also computes the logits.
        qkv_bias: whether queries, keys and values have a bias.
    """

    layers: int
    channels: int
    ffn: int
    heads: int
    kv_heads: int
    head_size: int
    function: Function
    eps: float
    theta: float
    vocabulary: int
    positions: int
    tied: bool
    qkv_bias: bool = False


def decoder_space(kind: str, decoder: Decoder, lengths: tuple[int, ...], pasts: tuple[int, ...]) -> SearchSpace:
    """The search space of a decoder.

    Genes are in the order a (all layers), f (all layers), l, p. Slots are ``embeddings``, ``layer.<i>.attention``,
    ``layer.<i>.ffn``, ``head``.

    Args:
        kind: the family's name.
        decoder: its sizes.
        lengths: choices of the number of tokens in a run.
        pasts: choices of the number of tokens in the cache before it.
    """
    layers = range(decoder.layers)
    heads, neurons = kv_choices(decoder.kv_heads), (0, *parts(decoder.ffn, 4))
    genes = [Gene("a", i, heads) for i in layers] + [Gene("f", i, neurons) for i in layers]
    length, past = len(genes), len(genes) + 1
    genes.append(Gene("l", None, lengths, role="input", unit="tokens"))
    genes.append(Gene("p", None, pasts, role="input", unit="tokens"))
    slots = [Slot("embeddings", (length, past), lambda l, p: _embeddings(decoder, l, p))]
    for i in layers:
        slots.append(Slot(f"layer.{i}.attention", (length, past, i), _attention_builder(decoder, i)))
        slots.append(Slot(f"layer.{i}.ffn", (length, decoder.layers + i), lambda l, f: _ffn(decoder, l, f)))
    slots.append(Slot("head", (length,), lambda l: _head(decoder, l)))
    shape = f"h{decoder.heads}k{decoder.kv_heads}x{decoder.head_size}-f{decoder.ffn}-v{decoder.vocabulary}"
    return SearchSpace(f"{kind}-{decoder.layers}x{decoder.channels}-{shape}", genes, slots)


def kv_choices(heads: int) -> tuple[int, ...]:
    """None, one, a quarter, half and all of the key-value heads, where these are integers."""
    return (0, *sorted({1, heads} | {heads // n for n in (2, 4) if heads % n == 0}))


def _embeddings(decoder: Decoder, tokens: int, past: int) -> LayerSpec:
    """Token embeddings, and the values that all layers share: the causal mask and the angles of rotary positions."""
    ops, total = OpList(()), past + tokens
    ids = ops.read("input_ids", (tokens,), "int64", below=decoder.vocabulary, axes=(LENGTH,))
    mask = ops.read("attention_mask", (total,), "int64", below=2, axes=(TOTAL,))
    positions = ops.read("position_ids", (tokens,), "int64", below=decoder.positions, axes=(LENGTH,))
    ops.write("causal", ops.causal_bias("causal.bias", ids, mask))
    cos, sin = ops.angles("angles", positions, decoder.head_size, decoder.theta)
    ops.write("rotary.cos", cos)
    ops.write("rotary.sin", sin)
    ops.embedding("words", ids, decoder.vocabulary, decoder.channels, tied=decoder.tied)
    shape = f"l{tokens}-p{past}-c{decoder.channels}-v{decoder.vocabulary}-x{decoder.head_size}"
    return ops.layer(f"decoderembedding-{shape}")


def _attention_builder(decoder: Decoder, layer: int) -> Callable[..., LayerSpec | None]:
    def build(tokens: int, past: int, kv_heads: int) -> LayerSpec | None:
        return _attention(decoder, layer, tokens, past, kv_heads) if kv_heads else None

    return build


def _attention(decoder: Decoder, layer: int, tokens: int, past: int, kv_heads: int) -> LayerSpec:
    """Norm, attention to all earlier tokens, residual."""
    ops, size = OpList((tokens, decoder.channels)), decoder.head_size
    cos, sin = (ops.read(f"rotary.{function}", (tokens, size)) for function in ("cos", "sin"))
    causal = ops.read("causal", (tokens, past + tokens))
    x = ops.rms_norm("norm", 0, decoder.eps)

    def projected(part: str, heads: int) -> int:
        channels = ops.linear(part, x, heads * size, bias=decoder.qkv_bias, causal=True)
        return ops.split_heads(f"{part}.heads", channels, heads)

    def cached(part: str, new: int) -> int:
        axes = ("", PAST, "")
        before = ops.read(f"past_key_values.{layer}.{part}", (kv_heads, past, size), axes=axes)
        both = ops.concat(f"{part}.cache", before, new, axis=1)
        return ops.write(f"present.{layer}.{part}", both, output=True, axes=("", TOTAL, ""))

    query = ops.rotary("query.turned", projected("query", decoder.heads), cos, sin)
    key = cached("key", ops.rotary("key.turned", projected("key", kv_heads), cos, sin))
    value = cached("value", projected("value", kv_heads))
    mixed = ops.attention("attention", query, key, value, causal, heads=decoder.heads, kv_heads=kv_heads)
    ops.add("residual", ops.linear("output", mixed, decoder.channels, bias=False, causal=True), 0)
    shape = f"l{tokens}-p{past}-c{decoder.channels}-h{decoder.heads}k{kv_heads}x{size}"
    return ops.layer(f"decoderattention-{shape}{'-bias' if decoder.qkv_bias else ''}")


def _ffn(decoder: Decoder, tokens: int, neurons: int) -> LayerSpec | None:
    """Norm, gated FFN, residual."""
    if not neurons:
        return None
    ops = OpList((tokens, decoder.channels))
    x = ops.rms_norm("norm", 0, decoder.eps)
    gate = ops.linear("gate", x, neurons, bias=False, causal=True)
    gate = ops.act(f"gate.{decoder.function}", gate, decoder.function)
    inner = ops.mul("product", gate, ops.linear("up", x, neurons, bias=False, causal=True))
    ops.add("residual", ops.linear("down", inner, decoder.channels, bias=False, causal=True), 0)
    return ops.layer(f"decoderffn-l{tokens}-c{decoder.channels}-f{neurons}-{decoder.function}")


def _head(decoder: Decoder, tokens: int) -> LayerSpec:
    """Norm, and logits for the vocabulary."""
    ops = OpList((tokens, decoder.channels))
    x = ops.rms_norm("norm", 0, decoder.eps)
    if decoder.tied:
        ops.tied_linear("logits", x, decoder.vocabulary, "embeddings/words")
    else:
        ops.linear("logits", x, decoder.vocabulary, bias=False, causal=True)
    return ops.layer(f"decoderhead-l{tokens}-c{decoder.channels}-v{decoder.vocabulary}-tied{int(decoder.tied)}")
