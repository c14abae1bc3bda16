"""OFA-ResNet50 (Cai et al. 2020): elastic depth, expansion and width per stage, optional stem layer.

Upstream's config: ``d = [stem, stage 1..4]``; ``e`` has one value per block; ``w`` holds indices of the width list for
``[mid stem, stem, stage 1..4]``. The stem's residual layer runs only if ``d[0]`` is 2.
"""

from __future__ import annotations

from collections.abc import Callable

from hwnas.space._gene import Gene, Slot, conditional
from hwnas.space._layer import LayerSpec
from hwnas.space._space import SearchSpace
from hwnas.space.families import _blocks
from hwnas.space.families._blocks import round_channels
from hwnas.space.families._ofa import CLASSES, RESOLUTIONS, strided

DEPTHS = (0, 1, 2)
EXPANSIONS = (0.2, 0.25, 0.35)
WIDTHS = (0.65, 0.8, 1.0)
BASE_DEPTHS = (2, 2, 4, 2)
STAGE_CHANNELS = (256, 512, 1024, 2048)
STRIDES = (1, 2, 2, 2)
STEM_CHANNELS = [round_channels(64 * w) for w in WIDTHS]
MID_STEM_CHANNELS = [round_channels(c // 2) for c in STEM_CHANNELS]


def _stage_channels(stage: int, width: int) -> int:
    return round_channels(STAGE_CHANNELS[stage] * WIDTHS[width])


def ofa_resnet50() -> SearchSpace:
    """``ofa_resnet50``: 5 depths, 18 expansions, 6 widths, resolution."""
    blocks = [(s, p) for s, base in enumerate(BASE_DEPTHS) for p in range(base + max(DEPTHS))]
    n = len(blocks)
    d, e, w, r = 0, 5, 5 + n, 5 + n + 6
    # Upstream's stem depth 1 skips the stem layer, as 0 does.
    genes = [Gene("d", 0, (0, 2), aliases={1: 0})]
    genes += [Gene("d", 1 + stage, DEPTHS) for stage in range(4)]
    for i, (stage, position) in enumerate(blocks):
        gene = Gene("e", i, EXPANSIONS)
        extra = position - BASE_DEPTHS[stage]
        genes.append(conditional(gene, d + 1 + stage, range(extra + 1, len(DEPTHS))) if extra >= 0 else gene)
    genes += [Gene("w", i, (0, 1, 2)) for i in range(6)]
    genes.append(Gene("r", None, RESOLUTIONS, role="input", unit="px"))

    slots = [
        Slot("input_stem.0", (r, w), lambda r, w0: _blocks.conv((3, r, r), MID_STEM_CHANNELS[w0], 3, 2)),
        Slot("input_stem.1", (r, w, d), _stem_residual),
        Slot("input_stem.2", (r, w, w + 1), lambda r, w0, w1: _blocks.conv(_stem(r, w0), STEM_CHANNELS[w1], 3)),
        Slot("max_pooling", (r, w + 1), lambda r, w1: _blocks.max_pool((STEM_CHANNELS[w1], *_stem(r, 0)[1:]), 3, 2)),
    ]
    for i, (stage, position) in enumerate(blocks):
        columns: tuple[int, ...] = (r, e + i, w + 2 + stage)
        if position == 0:
            columns += (w + 1 + stage,)
        elif position >= BASE_DEPTHS[stage]:
            columns += (d + 1 + stage,)
        slots.append(Slot(f"blocks.{i}", columns, _block_builder(stage, position)))
    slots.append(Slot("classifier", (r, w + 5), _classifier))
    return SearchSpace("ofa_resnet50", genes, slots)


def _stem(r: int, w0: int) -> tuple[int, int, int]:
    return (MID_STEM_CHANNELS[w0], strided(r, 2), strided(r, 2))


def _stem_residual(r: int, w0: int, depth: int) -> LayerSpec | None:
    return _blocks.conv(_stem(r, w0), MID_STEM_CHANNELS[w0], 3, residual=True) if depth == max(DEPTHS) else None


def _size(r: int, stage: int) -> int:
    """Size of the feature map that enters a stage."""
    size = strided(strided(r, 2), 2)
    for stride in STRIDES[:stage]:
        size = strided(size, stride)
    return size


def _block_builder(stage: int, position: int) -> Callable[..., LayerSpec | None]:
    def block(r: int, expansion: float, in_channels: int, w: int) -> LayerSpec:
        channels = _stage_channels(stage, w)
        mid = round_channels(round(channels * expansion))
        first = position == 0
        size = _size(r, stage if first else stage + 1)
        stride = STRIDES[stage] if first else 1
        return _blocks.bottleneck((in_channels, size, size), channels, mid, stride, downsample=first)

    def first_block(r: int, expansion: float, w: int, w_before: int) -> LayerSpec:
        before = STEM_CHANNELS[w_before] if stage == 0 else _stage_channels(stage - 1, w_before)
        return block(r, expansion, before, w)

    def later_block(r: int, expansion: float, w: int, depth: int = max(DEPTHS)) -> LayerSpec | None:
        if position >= BASE_DEPTHS[stage] + depth:
            return None
        return block(r, expansion, _stage_channels(stage, w), w)

    return first_block if position == 0 else later_block


def _classifier(r: int, w: int) -> LayerSpec:
    size = _size(r, len(STRIDES))
    return _blocks.classifier((_stage_channels(3, w), size, size), CLASSES)
