"""Once-for-All's ResNet50 (Cai et al. 2020): elastic depth, and widths of bottlenecks and stages by leading channels."""

from __future__ import annotations

from hwnas.supernet.ofa._upstream import OnceForAll


class OFAResNet50(OnceForAll):
    """``ofa_resnet50``."""

    space_name = "ofa_resnet50"

    @classmethod
    def checkpoint_key(cls, name: str) -> str:
        slot, tensor = name.split("/")
        if slot.startswith("blocks."):
            # "blocks.0/conv1.weight" is "blocks.0.conv1.conv.weight"
            op, _, rest = tensor.partition(".")
            return f"{slot}.{op}.{'conv.weight' if rest == 'weight' else rest}"
        if slot == "input_stem.1":  # a residual block wraps the layer in another "conv"
            return f"{slot}.{tensor}"
        return f"{slot}.{tensor}".replace(".conv.bn.", ".bn.")
