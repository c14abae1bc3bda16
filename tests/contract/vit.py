"""A vision transformer as a search space and a supernet, in one file: what a plug-in author writes.

Elastic depth, heads and FFN width per block (conditional on the depth), class token, learned positions, elastic
resolution. Weights are random: ``--supernet tests/contract/vit.py:Vit``.
"""

from __future__ import annotations

from functools import partial

from hwnas.space import Gene, LayerSpec, OpList, SearchSpace, Shape, Slot, conditional
from hwnas.supernet import Supernet

WIDTH, HEAD, PATCH, CLASSES = 32, 8, 8, 10
DEPTHS, HEADS, FFN, RESOLUTIONS = (2, 3, 4), (2, 4), (32, 64), (16, 32)
MOST_TOKENS = 1 + (max(RESOLUTIONS) // PATCH) ** 2


def vit_space() -> SearchSpace:
    """``vit``: one depth, a number of heads and an FFN width per block, a resolution."""
    n = max(DEPTHS)
    genes = [Gene("d", None, DEPTHS)]
    for group, choices in (("h", HEADS), ("f", FFN)):
        for i in range(n):
            needed = [j for j, depth in enumerate(DEPTHS) if depth > i]
            gene = Gene(group, i, choices)
            genes.append(gene if len(needed) == len(DEPTHS) else conditional(gene, 0, needed))
    genes.append(Gene("r", None, RESOLUTIONS, role="input", unit="px"))
    r = len(genes) - 1
    blocks = [
        Slot(
            f"blocks.{i}",
            (r, 1 + i, 1 + n + i, *([0] if genes[1 + i].controller is not None else [])),
            partial(block, i),
        )
        for i in range(n)
    ]
    return SearchSpace("vit", genes, [Slot("patches", (r,), patches), *blocks, Slot("head", (r,), head)])


def sequence(r: int) -> Shape:
    """``(tokens, channels)`` at a resolution."""
    return (1 + (r // PATCH) ** 2, WIDTH)


def patches(r: int) -> LayerSpec:
    """Patch embedding, class token, positions."""
    ops = OpList((3, r, r))
    x = ops.conv("embedding", 0, WIDTH, PATCH, PATCH, pads=(0, 0, 0, 0), bias=True, bn=False)
    _, height, width = ops.shape(x)
    x = ops.reshape("tokens", ops.transpose("last", x, (1, 2, 0)), (height * width, WIDTH))
    ops.positions("positions", ops.class_token("class", x), MOST_TOKENS)
    return ops.layer(f"vit-patches-r{r}")


def block(i: int, r: int, heads: int, ffn: int, depth: int = max(DEPTHS)) -> LayerSpec | None:
    """Pre-norm encoder block: attention and FFN, each added to its input."""
    if i >= depth:
        return None
    ops = OpList(sequence(r))
    x = ops.layer_norm("norm1", 0)
    query, key, value = (ops.linear(name, x, heads * HEAD) for name in ("query", "key", "value"))
    x = ops.linear("out", ops.attention("attention", query, key, value, heads=heads), WIDTH)
    attended = ops.add("attended", x, 0)
    x = ops.linear("expand", ops.layer_norm("norm2", attended), ffn)
    x = ops.linear("project", ops.act("gelu", x, "gelu"), WIDTH)
    ops.add("residual", x, attended)
    return ops.layer(f"vit-block-l{sequence(r)[0]}-h{heads}-f{ffn}")


def head(r: int) -> LayerSpec:
    """Class token to logits."""
    ops = OpList(sequence(r))
    ops.linear("linear", ops.take("class", ops.layer_norm("norm", 0)), CLASSES)
    return ops.layer(f"vit-head-l{sequence(r)[0]}")


class Vit(Supernet):
    """Leading heads and leading neurons stay, as of any op: no method but the space is needed."""

    search_space = staticmethod(vit_space)
