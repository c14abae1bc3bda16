"""What the inverted-residual spaces of Once-for-All share (Cai et al. 2020, arXiv:1908.09791).

Stages of up to four blocks; each block has a kernel gene ``ks`` and an expansion gene ``e``, each
stage a depth gene ``d``: blocks at positions below the depth run, the rest have no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hwnas.space._gene import Gene, Slot, Value, conditional
from hwnas.space._layer import LayerSpec
from hwnas.space._space import SearchSpace
from hwnas.space.families import _blocks
from hwnas.space.families._blocks import round_channels
from hwnas.space.ops import Function

RESOLUTIONS = tuple(range(128, 225, 4))
KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
CLASSES = 1000


@dataclass(frozen=True)
class Stage:
    """``depths``: how many of its blocks may run; the largest is the number of blocks."""

    channels: int
    stride: int
    depths: tuple[int, ...]
    se: bool
    act: Function

    @property
    def blocks(self) -> int:
        """Layers of the deepest choice."""
        return max(self.depths)


@dataclass(frozen=True)
class InvertedResidualNet:
    """Stem, one block of expansion 1, stages, head. Channel counts are after the width multiplier."""

    stem_channels: int
    first_channels: int
    first_skip: bool
    act: Function
    first_act: Function
    stages: tuple[Stage, ...]
    final_expand_channels: int | None
    feature_channels: int


def strided(size: int, stride: int) -> int:
    """Output size of a convolution padded by half its kernel."""
    return (size - 1) // stride + 1


def inverted_residual_space(name: str, net: InvertedResidualNet) -> SearchSpace:
    """Genes in the order ks (all blocks), e (all blocks), d (all stages), r; slots named as upstream's modules."""
    blocks = [(stage, position) for stage, s in enumerate(net.stages) for position in range(s.blocks)]
    n = len(blocks)
    depth_column = [2 * n + stage for stage in range(len(net.stages))]
    resolution = 2 * n + len(net.stages)

    def block_gene(group: str, i: int, choices: Sequence[int]) -> Gene:
        stage, position = blocks[i]
        depths = net.stages[stage].depths
        gene = Gene(group, i, tuple(choices))
        active = [j for j, depth in enumerate(depths) if depth > position]
        return gene if len(active) == len(depths) else conditional(gene, depth_column[stage], active)

    genes = [block_gene("ks", i, KERNELS) for i in range(n)]
    genes += [block_gene("e", i, EXPANSIONS) for i in range(n)]
    for stage, s in enumerate(net.stages):
        # Upstream samples 2..4 for the one-block stage too, where it has no effect.
        aliases: dict[Value, Value] = dict.fromkeys((2, 3, 4), 1) if s.depths == (1,) else {}
        genes.append(Gene("d", stage, s.depths, aliases=aliases))
    genes.append(Gene("r", None, RESOLUTIONS, role="input", unit="px"))

    slots = [
        Slot("first_conv", (resolution,), lambda r: _blocks.conv((3, r, r), net.stem_channels, 3, 2, net.act)),
        Slot("blocks.0", (resolution,), lambda r: _first_block(net, strided(r, 2))),
    ]
    channels, reduction = net.first_channels, 2
    for i, (stage, position) in enumerate(blocks):
        s = net.stages[stage]
        stride = s.stride if position == 0 else 1
        gene_columns: tuple[int, ...] = (resolution, i, n + i)
        if genes[i].controller is not None:
            gene_columns += (depth_column[stage],)
        build = _block_builder(s, position, channels, reduction, stride)
        slots.append(Slot(f"blocks.{i + 1}", gene_columns, build))
        channels, reduction = s.channels, reduction * stride

    def head(kind: str, r: int) -> LayerSpec:
        return _head(net, kind, (channels, _reduced(r, reduction), _reduced(r, reduction)))

    kinds = ["final_expand_layer", "global_avg_pool"] if net.final_expand_channels else []
    for kind in [*kinds, "feature_mix_layer", "classifier"]:
        slots.append(Slot(kind, (resolution,), lambda r, kind=kind: head(kind, r)))
    return SearchSpace(name, genes, slots)


def _block_builder(
    stage: Stage, position: int, in_channels: int, reduction: int, stride: int
) -> Callable[..., LayerSpec | None]:
    skip = stride == 1 and in_channels == stage.channels

    def build(r: int, kernel: int, expansion: int, depth: int = stage.blocks) -> LayerSpec | None:
        if position >= depth:
            return None
        size = _reduced(r, reduction)
        mid = round_channels(round(in_channels * expansion))
        shape = (in_channels, size, size)
        return _blocks.mbconv(shape, stage.channels, mid, kernel, stride, stage.act, se=stage.se, skip=skip)

    return build


def _reduced(resolution: int, reduction: int) -> int:
    """Feature map size after stride-2 layers whose strides multiply to ``reduction``."""
    while reduction > 1:
        resolution, reduction = strided(resolution, 2), reduction // 2
    return resolution


def _first_block(net: InvertedResidualNet, size: int) -> LayerSpec:
    shape, channels = (net.stem_channels, size, size), net.first_channels
    return _blocks.mbconv(shape, channels, net.stem_channels, 3, 1, net.first_act, se=False, skip=net.first_skip)


def _head(net: InvertedResidualNet, kind: str, shape: tuple[int, int, int]) -> LayerSpec:
    if net.final_expand_channels is None:
        if kind == "feature_mix_layer":
            return _blocks.conv(shape, net.feature_channels, 1, act=net.act)
        return _blocks.classifier((net.feature_channels, *shape[1:]), CLASSES)
    expanded = (net.final_expand_channels, *shape[1:])
    if kind == "final_expand_layer":
        return _blocks.conv(shape, net.final_expand_channels, 1, act=net.act)
    if kind == "global_avg_pool":
        return _blocks.global_pool(expanded)
    if kind == "feature_mix_layer":
        return _blocks.conv((net.final_expand_channels, 1, 1), net.feature_channels, 1, act=net.act, bn=False)
    return _blocks.classifier((net.feature_channels, 1, 1), CLASSES)
