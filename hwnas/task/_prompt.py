"""A decoder's inputs beside the token ids."""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.space.ops import PAST
from hwnas.task._task import Specs


def prompt(specs: Specs, ids: Tensor) -> dict[str, Tensor]:
    """All inputs of a decoder for texts without padding, with empty caches.

    Args:
        specs: the decoder's inputs (:func:`hwnas.space.network_inputs`); the sizes of open axes do not matter.
        ids: ``(n, tokens)``.
    """
    positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    known = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "position_ids": positions}
    caches = {
        name: torch.zeros(len(ids), *spec.sized({PAST: 0}).shape, device=ids.device)
        for name, spec in specs.items()
        if PAST in spec.axes
    }
    return {name: tensor for name, tensor in (known | caches).items() if name in specs}
