"""The embedded supernet: Once-for-All in miniature, trained by hwnas and shipped with it.

As in Once-for-All, subnets have the leading channels and blocks, and a 3x3 kernel is the centre of the 5x5 one times a
learned matrix. ``embedded/digits.md`` is its model card.
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from hwnas.space import SearchSpace, get_space
from hwnas.supernet._base import Supernet, centre
from hwnas.task import DigitsData


class Digits(Supernet):
    """The supernet ``digits``."""

    @classmethod
    def search_space(cls) -> SearchSpace:
        return get_space("digits")

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        path = Path(__file__).parent / "embedded" / "digits.safetensors"
        return path if path.is_file() else None

    @classmethod
    def data(cls) -> DigitsData:
        return DigitsData()

    @classmethod
    def extra_shapes(cls) -> dict[str, tuple[int, ...]]:
        slots = (slot.name for slot in cls.search_space().slots)
        return {f"{slot}/depthwise.5to3": (9, 9) for slot in slots if slot.startswith("blocks.")}

    def shrink_kernel(self, name: str, weight: Tensor, kernel: int) -> Tensor:
        flat = centre(weight, kernel).flatten(1)
        return F.linear(flat, self.tensors[f"{name}.5to3"]).reshape(-1, 1, kernel, kernel)
