"""digits: a small Once-for-All-style space for scikit-learn's digits, ten classes of 8x8 grey images.

Three stages of inverted residuals with elastic depth, kernel and expansion, and an elastic
resolution to which the images are resized. Small enough that a subnet is evaluated in a fraction
of a second; genes are written as Once-for-All writes them (``ks``, ``e``, ``d``, ``r``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwnas.space._gene import Gene, Slot, conditional
from hwnas.space._layer import LayerSpec
from hwnas.space._space import SearchSpace
from hwnas.space.families import _blocks
from hwnas.space.families._ofa import strided

KERNELS = (3, 5)
EXPANSIONS = (2, 4, 6)
RESOLUTIONS = (8, 10, 12, 14, 16)
CLASSES = 10
STEM_CHANNELS = 8
FEATURE_CHANNELS = 64


@dataclass(frozen=True)
class Stage:
    """``depths``: how many of its blocks may run; ``stride``: of the first."""

    channels: int
    stride: int
    depths: tuple[int, ...]


STAGES = (Stage(8, 1, (1, 2)), Stage(16, 2, (1, 2, 3)), Stage(24, 2, (1, 2)))


def digits() -> SearchSpace:
    """``digits``: 7 kernels, 7 expansions, 3 depths, resolution."""
    blocks = [(stage, position) for stage, s in enumerate(STAGES) for position in range(max(s.depths))]
    n = len(blocks)
    depth, resolution = 2 * n, 2 * n + len(STAGES)

    def block_gene(group: str, i: int, choices: tuple[int, ...]) -> Gene:
        stage, position = blocks[i]
        depths = STAGES[stage].depths
        gene = Gene(group, i, choices)
        active = [j for j, d in enumerate(depths) if d > position]
        return gene if len(active) == len(depths) else conditional(gene, depth + stage, active)

    genes = [block_gene("ks", i, KERNELS) for i in range(n)]
    genes += [block_gene("e", i, EXPANSIONS) for i in range(n)]
    genes += [Gene("d", stage, s.depths) for stage, s in enumerate(STAGES)]
    genes.append(Gene("r", None, RESOLUTIONS, role="input", unit="px"))

    slots = [Slot("stem", (resolution,), lambda r: _blocks.conv((1, r, r), STEM_CHANNELS, 3, 2))]
    for i, (stage, position) in enumerate(blocks):
        columns: tuple[int, ...] = (resolution, i, n + i)
        if genes[i].controller is not None:
            columns += (depth + stage,)
        slots.append(Slot(f"blocks.{i}", columns, _block_builder(stage, position)))
    slots.append(Slot("features", (resolution,), lambda r: _blocks.conv(_entering(r, 3), FEATURE_CHANNELS, 1)))
    slots.append(Slot("classifier", (resolution,), _classifier))
    return SearchSpace("digits", genes, slots)


def _entering(r: int, stage: int) -> tuple[int, int, int]:
    """Shape of the feature map that enters a stage."""
    channels, r = STEM_CHANNELS, strided(r, 2)
    for s in STAGES[:stage]:
        channels, r = s.channels, strided(r, s.stride)
    return (channels, r, r)


def _block_builder(stage: int, position: int) -> Callable[..., LayerSpec | None]:
    s = STAGES[stage]
    stride = s.stride if position == 0 else 1

    def build(r: int, kernel: int, expansion: int, depth: int = max(s.depths)) -> LayerSpec | None:
        if position >= depth:
            return None
        shape = _entering(r, stage if position == 0 else stage + 1)
        skip = stride == 1 and shape[0] == s.channels
        mid = _blocks.round_channels(shape[0] * expansion)
        return _blocks.mbconv(shape, s.channels, mid, kernel, stride, "relu", se=False, skip=skip)

    return build


def _classifier(r: int) -> LayerSpec:
    return _blocks.classifier((FEATURE_CHANNELS, *_entering(r, 3)[1:]), CLASSES)
