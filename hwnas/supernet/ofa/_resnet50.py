"""Once-for-All's ResNet50 (Cai et al. 2020): elastic depth, bottleneck and stage widths by leading channels."""

from __future__ import annotations

from pathlib import Path

from hwnas.space import SearchSpace, get_space
from hwnas.supernet._base import Supernet
from hwnas.supernet._download import cached_checkpoint
from hwnas.supernet.ofa._upstream import one_spelling
from hwnas.task import IMAGENET


class OFAResNet50(Supernet):
    """``ofa_resnet50``. Checkpoints keep upstream's names."""

    preprocessing = IMAGENET

    @classmethod
    def search_space(cls) -> SearchSpace:
        return get_space("ofa_resnet50")

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        return cached_checkpoint("ofa_resnet50")

    @classmethod
    def checkpoint_key(cls, name: str) -> str:
        slot, tensor = name.split("/")
        if slot.startswith("blocks."):
            # "blocks.0/conv1.weight" is "blocks.0.conv1.conv.weight" there
            op, _, rest = tensor.partition(".")
            return f"{slot}.{op}.{'conv.weight' if rest == 'weight' else rest}"
        if slot == "input_stem.1":  # a residual block around the layer: one "conv" more
            return f"{slot}.{tensor}"
        return f"{slot}.{tensor}".replace(".conv.bn.", ".bn.")

    @classmethod
    def normalised_key(cls, key: str) -> str:
        return one_spelling(key)
