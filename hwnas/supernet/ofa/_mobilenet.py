"""Once-for-All's inverted-residual supernets (Cai et al. 2020): MobileNetV3 and ProxylessNAS.

Elastic depth keeps a stage's first blocks, and elastic width the first channels. A smaller kernel is the centre of the next
larger one times a learned matrix: 5x5 from 7x7, and 3x3 from that 5x5.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor

from hwnas.supernet._base import centre
from hwnas.supernet.ofa._upstream import OnceForAll

KERNELS = (7, 5, 3)

_MODULES = {
    "expand": "conv.inverted_bottleneck",
    "depthwise": "conv.depth_conv",
    "project": "conv.point_linear",
    "se.reduce": "conv.depth_conv.se.fc.reduce",
    "se.expand": "conv.depth_conv.se.fc.expand",
}
"""The upstream module of each op of a block."""


class OFAMobileNet(OnceForAll):
    """The common part of MobileNetV3 and ProxylessNAS."""

    @classmethod
    def extra_shapes(cls) -> dict[str, tuple[int, ...]]:
        blocks = [
            slot.name for slot in cls.search_space().slots if slot.name.startswith("blocks.") and len(slot.genes) > 1
        ]
        return {
            f"{block}/depthwise.{large}to{small}": (small**2, small**2)
            for block in blocks
            for large, small in pairwise(KERNELS)
        }

    @classmethod
    def checkpoint_key(cls, name: str) -> str:
        slot, tensor = name.split("/")
        if not slot.startswith("blocks."):
            # "first_conv/conv.weight" and "first_conv/conv.bn.bias"; "classifier/linear.weight"
            return f"{slot}.{tensor}".replace(".conv.bn.", ".bn.")
        op = next(op for op in _MODULES if tensor.startswith(f"{op}."))
        tensor = tensor.removeprefix(f"{op}.")
        if "to" in tensor:
            tensor = f"conv.{tensor}_matrix"
        elif tensor == "weight" and not op.startswith("se."):
            tensor = "conv.weight"
        return f"{slot}.{_MODULES[op]}.{tensor}"

    def shrink_kernel(self, name: str, weight: Tensor, kernel: int) -> Tensor:
        for large, small in pairwise(KERNELS):
            if kernel < large <= weight.shape[-1]:
                flat = centre(weight, small).flatten(1)
                weight = F.linear(flat, self.tensors[f"{name}.{large}to{small}"])
                size = math.isqrt(weight.shape[1])
                weight = weight.reshape(-1, 1, size, size)
        return weight


class OFAMobileNetV3W10(OFAMobileNet):
    """``ofa_mbv3_w1.0``."""

    space_name = "ofa_mbv3_w1.0"


class OFAMobileNetV3W12(OFAMobileNet):
    """``ofa_mbv3_w1.2``."""

    space_name = "ofa_mbv3_w1.2"


class OFAProxylessW13(OFAMobileNet):
    """``ofa_proxyless_w1.3``."""

    space_name = "ofa_proxyless_w1.3"
    bn_eps = 1e-3
