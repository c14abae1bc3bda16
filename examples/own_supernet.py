"""Your own elastic network as a supernet, in one file.

A small residual network with elastic depth, elastic width inside its blocks, and elastic resolution.
You state (1) the genes and the layers they switch, and (2) how your checkpoint names its tensors. hwnas does
the rest: it profiles the layers, searches, extracts subnets with their weights, and exports them.

    python examples/own_supernet.py own.pth              # stands in for your training: random weights
    hwnas evaluate --supernet examples/own_supernet.py:OwnSupernet --checkpoint own.pth \\
        --data IMAGES --sample 8 --out accuracy.csv
    hwnas export --supernet examples/own_supernet.py:OwnSupernet --checkpoint own.pth \\
        --arch '{"d": [1, 2, 1], "e": [0.5, 0.5, 1, 1, 1, 1], "r": 32}' --data IMAGES --out subnet.onnx
"""

from __future__ import annotations

import sys

import torch

from hwnas.space import Gene, LayerSpec, OpList, SearchSpace, Shape, Slot, conditional
from hwnas.supernet import Supernet

STAGES = ((16, 1), (32, 2), (64, 2))
"""Channels and stride of each stage."""

DEPTHS = (1, 2)
WIDTHS = (0.5, 1.0)
RESOLUTIONS = (32, 48)
CLASSES = 10


def stem(r: int) -> LayerSpec:
    ops = OpList((3, r, r))
    ops.conv("conv", 0, STAGES[0][0], kernel=3, act="relu")
    return LayerSpec(f"own-stem-r{r}", (3, r, r), tuple(ops.ops))


def block(shape: Shape, channels: int, width: float, stride: int) -> LayerSpec:
    """Two 3x3 convolutions; the key must state all that latency depends on."""
    mid = round(channels * width)
    ops = OpList(shape)
    x = ops.conv("conv1", 0, mid, kernel=3, stride=stride, act="relu")
    x = ops.conv("conv2", x, channels, kernel=3)
    if stride == 1 and shape[0] == channels:
        x = ops.add("residual", x, 0)
    ops.act("relu", x, "relu")
    size = "x".join(str(s) for s in shape)
    return LayerSpec(f"own-block-i{size}-m{mid}-o{channels}-s{stride}", shape, tuple(ops.ops))


def head(shape: Shape) -> LayerSpec:
    ops = OpList(shape)
    ops.linear("linear", ops.flatten("flatten", ops.global_pool("pool", 0)), CLASSES)
    return LayerSpec(f"own-head-{shape[1]}", shape, tuple(ops.ops))


def own_space() -> SearchSpace:
    n = len(STAGES)
    depths = [Gene("d", i, DEPTHS) for i in range(n)]
    # A stage's second block has a width only where the depth is 2 (index 1 of DEPTHS).
    widths = [Gene("e", i, WIDTHS) for i in range(2 * n)]
    widths = [conditional(gene, controller=i // 2, active_for=[1]) if i % 2 else gene for i, gene in enumerate(widths)]
    genes = [*depths, *widths, Gene("r", None, RESOLUTIONS, role="input", unit="px")]
    r = len(genes) - 1

    slots = [Slot("stem", (r,), stem)]
    channels, reduction = STAGES[0][0], 1
    for stage, (out, stride) in enumerate(STAGES):

        def first(
            r: int, width: float, before: int = channels, at: int = reduction, out: int = out, s: int = stride
        ) -> LayerSpec:
            return block((before, r // at, r // at), out, width, s)

        def second(r: int, width: float, depth: int, at: int = reduction * stride, out: int = out) -> LayerSpec | None:
            return block((out, r // at, r // at), out, width, 1) if depth == 2 else None

        slots.append(Slot(f"blocks.{2 * stage}", (r, n + 2 * stage), first))
        slots.append(Slot(f"blocks.{2 * stage + 1}", (r, n + 2 * stage + 1, stage), second))
        channels, reduction = out, reduction * stride
    slots.append(Slot("head", (r,), lambda r: head((channels, r // reduction, r // reduction))))
    return SearchSpace("own", genes, slots)


class OwnSupernet(Supernet):
    """A narrower block keeps the leading channels. For another rule, override ``op_weights``."""

    @classmethod
    def search_space(cls) -> SearchSpace:
        return own_space()

    @classmethod
    def checkpoint_key(cls, name: str) -> str:
        """The checkpoint's name of a tensor: ``blocks.0/conv1.bn.bias`` is ``blocks.0.norm1.bias`` there."""
        for number in ("", "1", "2"):
            name = name.replace(f"/conv{number}.bn.", f".norm{number}.")
        return name.replace("/", ".")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: python examples/own_supernet.py own.pth", file=sys.stderr)
        sys.exit(2)
    own = OwnSupernet.random(seed=0)
    state = {own.checkpoint_key(name): tensor for name, tensor in own.tensors.items()}
    torch.save({"state_dict": state}, sys.argv[1])
    print(f"wrote {sys.argv[1]}: random weights of {own.space}")
