"""digits: a small Once-for-All-style space for scikit-learn's digits, ten classes of 8x8 grey images.

Three stages of inverted residuals with elastic depth, kernel and expansion, and an elastic resolution to which the images are
resized. Evaluating a subnet takes a fraction of a second. Genes are written as in Once-for-All (``ks``, ``e``, ``d``, ``r``).
"""

from __future__ import annotations

from hwnas.space._gene import Slot
from hwnas.space._space import SearchSpace
from hwnas.space.families import _blocks
from hwnas.space.families._ofa import Stage, block_slots, elastic_genes, output_reduction, reduced

KERNELS = (3, 5)
EXPANSIONS = (2, 4, 6)
RESOLUTIONS = (8, 10, 12, 14, 16)
CLASSES = 10
STEM_CHANNELS = 8
FEATURE_CHANNELS = 64

STAGES = tuple(
    Stage(channels, stride, depths, se=False, act="relu")
    for channels, stride, depths in [(8, 1, (1, 2)), (16, 2, (1, 2, 3)), (24, 2, (1, 2))]
)


def digits() -> SearchSpace:
    """``digits``: 7 kernels, 7 expansions, 3 depths, resolution."""
    genes = elastic_genes(STAGES, KERNELS, EXPANSIONS, RESOLUTIONS)
    resolution = (len(genes) - 1,)

    def output(channels: int, r: int) -> tuple[int, int, int]:
        size = reduced(r, output_reduction(STAGES))
        return (channels, size, size)

    slots = [
        Slot("stem", resolution, lambda r: _blocks.conv((1, r, r), STEM_CHANNELS, 3, 2)),
        *block_slots(STAGES, genes, STEM_CHANNELS),
        Slot("features", resolution, lambda r: _blocks.conv(output(STAGES[-1].channels, r), FEATURE_CHANNELS, 1)),
        Slot("classifier", resolution, lambda r: _blocks.classifier(output(FEATURE_CHANNELS, r), CLASSES)),
    ]
    return SearchSpace("digits", genes, slots)
