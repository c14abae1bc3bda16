"""What decoders are fed beside the ids of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from hwnas.space.ops import PAST
from hwnas.task._task import Specs


def prompt(specs: Specs, ids: Tensor) -> dict[str, Tensor]:
    """All inputs of a decoder for texts that begin with their first token: nothing is cached, and nothing is padding.

    Args:
        specs: its inputs, as :func:`hwnas.space.network_inputs` tells; the sizes of open axes do not matter.
        ids: ``(n, tokens)``.
    """
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    known = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "position_ids": places}
    caches = {
        name: torch.zeros(len(ids), *spec.sized({PAST: 0}).shape, device=ids.device)
        for name, spec in specs.items()
        if PAST in spec.axes
    }
    return {name: tensor for name, tensor in (known | caches).items() if name in specs}
