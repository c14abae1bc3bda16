"""Inverted-residual spaces in the form of Once-for-All (Cai et al. 2020, arXiv:1908.09791).

Each block has a kernel gene ``ks`` and an expansion gene ``e``, and each stage a depth gene ``d``: blocks at positions below the
depth run, and the genes of the others are inactive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    """Blocks of one width.

    Attributes:
        channels: after the width multiplier.
        stride: of the first block.
        depths: choices of the number of blocks that run.
        se: whether blocks have squeeze-excite.
        act: activation.
    """

    channels: int
    stride: int
    depths: tuple[int, ...]
    se: bool
    act: Function

    @property
    def blocks(self) -> int:
        """Number of blocks at the largest depth."""
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


def reduced(resolution: int, reduction: int) -> int:
    """Feature map size after stride-2 layers whose strides multiply to ``reduction``."""
    while reduction > 1:
        resolution, reduction = strided(resolution, 2), reduction // 2
    return resolution


def elastic_genes(
    stages: Sequence[Stage], kernels: Sequence[int], expansions: Sequence[int], resolutions: Sequence[int]
) -> list[Gene]:
    """Genes in the order ks (all blocks), e (all blocks), d (all stages), r."""
    blocks = _positions(stages)

    def block_gene(group: str, i: int, choices: Sequence[int]) -> Gene:
        stage, position = blocks[i]
        depths = stages[stage].depths
        gene = Gene(group, i, tuple(choices))
        active = [j for j, depth in enumerate(depths) if depth > position]
        return gene if len(active) == len(depths) else conditional(gene, 2 * len(blocks) + stage, active)

    genes = [block_gene("ks", i, kernels) for i in range(len(blocks))]
    genes += [block_gene("e", i, expansions) for i in range(len(blocks))]
    for i, stage in enumerate(stages):
        # Upstream samples 2..4 for the one-block stage too, where it has no effect.
        aliases: dict[Value, Value] = dict.fromkeys((2, 3, 4), 1) if stage.depths == (1,) else {}
        genes.append(Gene("d", i, stage.depths, aliases=aliases))
    return [*genes, Gene("r", None, tuple(resolutions), role="input", unit="px")]


def block_slots(stages: Sequence[Stage], genes: Sequence[Gene], channels: int, first: int = 0) -> Iterator[Slot]:
    """Slots of the blocks, ``blocks.<first>`` and so on, in a space with `elastic_genes`.

    Args:
        stages: of the network.
        genes: of the space; the last one is the resolution.
        channels: of the first block's input, at half the resolution.
        first: number of the first block in slot names.
    """
    blocks, reduction = _positions(stages), 2
    for i, (stage, position) in enumerate(blocks):
        s = stages[stage]
        stride = s.stride if position == 0 else 1
        depth = genes[i].controller
        columns = (len(genes) - 1, i, len(blocks) + i, *([] if depth is None else [depth]))
        yield Slot(f"blocks.{first + i}", columns, _block_builder(s, position, channels, reduction, stride))
        channels, reduction = s.channels, reduction * stride


def inverted_residual_space(name: str, net: InvertedResidualNet) -> SearchSpace:
    """The space of a network, with slots named as upstream's modules."""
    genes = elastic_genes(net.stages, KERNELS, EXPANSIONS, RESOLUTIONS)
    resolution = len(genes) - 1
    slots = [
        Slot("first_conv", (resolution,), lambda r: _blocks.conv((3, r, r), net.stem_channels, 3, 2, net.act)),
        Slot("blocks.0", (resolution,), lambda r: _first_block(net, strided(r, 2))),
        *block_slots(net.stages, genes, net.first_channels, first=1),
    ]
    reduction = output_reduction(net.stages)

    def head(kind: str, r: int) -> LayerSpec:
        return _head(net, kind, (net.stages[-1].channels, reduced(r, reduction), reduced(r, reduction)))

    kinds = ["final_expand_layer", "global_avg_pool"] if net.final_expand_channels else []
    for kind in [*kinds, "feature_mix_layer", "classifier"]:
        slots.append(Slot(kind, (resolution,), lambda r, kind=kind: head(kind, r)))
    return SearchSpace(name, genes, slots)


def output_reduction(stages: Sequence[Stage]) -> int:
    """Product of the strides of the stem and all stages."""
    reduction = 2
    for stage in stages:
        reduction *= stage.stride
    return reduction


def _positions(stages: Sequence[Stage]) -> list[tuple[int, int]]:
    """Stage of each block, and its position there."""
    return [(i, position) for i, stage in enumerate(stages) for position in range(stage.blocks)]


def _block_builder(
    stage: Stage, position: int, in_channels: int, reduction: int, stride: int
) -> Callable[..., LayerSpec | None]:
    skip = stride == 1 and in_channels == stage.channels

    def build(r: int, kernel: int, expansion: int, depth: int = stage.blocks) -> LayerSpec | None:
        if position >= depth:
            return None
        size = reduced(r, reduction)
        mid = round_channels(round(in_channels * expansion))
        shape = (in_channels, size, size)
        return _blocks.mbconv(shape, stage.channels, mid, kernel, stride, stage.act, se=stage.se, skip=skip)

    return build


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
