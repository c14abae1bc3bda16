"""Small spaces that can be enumerated, and how to enumerate them."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from hwnas.space import Gene, LayerSpec, OpList, Population, SearchSpace, Slot, conditional, get_space


def conv_layer(channels: int, kernel: int, size: int) -> LayerSpec:
    ops = OpList((channels, size, size))
    ops.conv("conv", 0, channels, kernel, act="relu")
    return LayerSpec(f"toy-{channels}-k{kernel}-{size}", (channels, size, size), tuple(ops.ops))


def toy_space() -> SearchSpace:
    """Two stages that share a resolution: kernels of up to three and two layers, the later ones conditional."""

    def layer(r: int, kernel: int, depth: int = 9, *, position: int, channels: int = 4) -> LayerSpec | None:
        return conv_layer(channels, kernel, r) if position < depth else None

    kernels = (1, 3, 5)
    genes = [
        Gene("ks", 0, kernels),
        conditional(Gene("ks", 1, kernels), 5, [1, 2]),
        conditional(Gene("ks", 2, kernels), 5, [2]),
        Gene("ks", 3, (3, 5)),
        conditional(Gene("ks", 4, (3, 5)), 6, [1]),
        Gene("d", 0, (1, 2, 3), aliases={0: 1}),
        Gene("d", 1, (1, 2)),
        Gene("r", None, (8, 12), role="input"),
    ]
    slots = [
        Slot("a", (7, 0), lambda r, k: layer(r, k, position=0)),
        Slot("b", (7, 1, 5), lambda r, k, d: layer(r, k, d, position=1)),
        Slot("c", (5, 2, 7), lambda d, k, r: layer(r, k, d, position=2)),
        Slot("d", (7, 3), lambda r, k: layer(r, k, position=0)),
        Slot("e", (7, 4, 6), lambda r, k, d: layer(r, k, d, position=1)),
        Slot("fixed", (), lambda: conv_layer(4, 1, 1)),
    ]
    return SearchSpace("toy", genes, slots)


def nested_space() -> SearchSpace:
    """Conditions three deep, some of which choice 0 meets: what a controller without effect holds must wake nobody."""

    genes = [
        conditional(Gene("s", 0, (1, 2, 3)), 2, [0]),  # a sub-choice of the first layer's heads
        conditional(Gene("t", 0, (1, 2)), 0, [0, 2]),  # and one of that
        Gene("h", 0, (1, 2)),
        conditional(Gene("h", 1, (1, 2, 3)), 5, [1, 2]),
        conditional(Gene("s", 1, (1, 2)), 3, [0, 1]),
        Gene("d", None, (1, 2, 3)),
        conditional(Gene("u", None, (1, 2, 3)), 4, [0]),
        Gene("l", None, (8, 16), role="input"),
    ]

    def first(heads: int, s: int, t: int) -> LayerSpec:
        # What has no effect holds the first choice: the three values tell the layer apart.
        return conv_layer(2, 1 + 2 * (heads + 10 * s + 100 * t), 999)

    def second(depth: int, heads: int, s: int, u: int) -> LayerSpec | None:
        return conv_layer(3, 1 + 2 * (heads + 10 * s + 100 * u + 1000 * depth), 99999) if depth > 1 else None

    slots = [
        Slot("first", (2, 0, 1), first),
        Slot("second", (5, 3, 4, 6), second),
        Slot("depth", (5,), lambda d: conv_layer(5, 1, d)),
        Slot("length", (7,), lambda r: conv_layer(4, 1, r)),
    ]
    return SearchSpace("nested", genes, slots)


def small_spaces() -> list[SearchSpace]:
    """Spaces of at most some thousand subnets: by hand, and the built-in ones with most genes fixed."""
    toy = toy_space()
    mobile = get_space("ofa_mbv3_w1.0").restrict(ks=3, e=4, r=[128, 224]).restrict(d=[2, 4])
    resnet = get_space("ofa_resnet50").restrict(e=0.25, r=[128, 192], **{f"w[{i}]": 1 for i in (0, 1, 3, 4, 5)})
    nested = nested_space()
    return [
        nested,
        nested.restrict(t=2, d=[1, 3], u=[2, 3], **{"s[0]": [2, 3], "h[1]": [2, 3]}),
        toy,
        toy.restrict(ks=[3, 5], r=12),
        toy.restrict(**{"d[0]": [1, 3], "ks[2]": [5], "ks[1]": [1, 5]}),
        get_space("ofa_mbv3_w1.2").restrict(e=6, d=[2, 3], r=224, **{f"ks[{i}]": 7 for i in range(17)}),
        mobile,
        get_space("ofa_proxyless_w1.3").restrict(ks=[5], e=3, r=[160, 176, 224]),
        resnet,
    ]


def enumerate_rows(space: SearchSpace) -> Population:
    """Every canonical row of the domain, once, by brute force."""
    raw = np.array(list(itertools.product(*(d.tolist() for d in space.domain))), dtype=np.int16)
    return np.unique(space.canonical(raw), axis=0)


def raw_rows(space: SearchSpace) -> st.SearchStrategy[Population]:
    """``(g,)`` rows of the domain that need not be canonical."""
    genes = st.tuples(*(st.sampled_from(d.tolist()) for d in space.domain))
    return genes.map(lambda row: np.array(row, dtype=np.int16))
