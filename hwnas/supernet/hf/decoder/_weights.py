"""A decoder's tensors by hwnas's names, with its neurons sorted by importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.supernet._units import Units
from hwnas.supernet.hf.decoder._families import file_name

PREFIX = "model."
"""Prefix of all tensors except the head's. Folders of the bare network leave it out."""


def renamed(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], layers: int, folder: str
) -> dict[str, Tensor]:
    """The network's tensors in fp32, by hwnas's names; those that the folder lacks are left out.

    Raises:
        SupernetError: the folder has more layers than its configuration.
    """
    beyond = file_name(f"layer.{layers}.attention/query.weight")
    found = {beyond, beyond.removeprefix(PREFIX)} & set(tensors)
    if found:
        rule = f"its configuration counts {layers} layers, and its weights have {found.pop()}"
        raise SupernetError(f"hf:{folder}", rule, "restore its config.json")
    ours = {}
    for name in wanted:
        theirs = file_name(name)
        tensor = tensors.get(theirs, tensors.get(theirs.removeprefix(PREFIX)))
        if tensor is not None:
            ours[name] = tensor.float() if tensor.is_floating_point() else tensor
    return ours


def by_largest_weights(tensors: Mapping[str, Tensor], units: Sequence[Units]) -> dict[str, Tensor]:
    """The tensors with the neurons of each FFN sorted by weight, largest first. The largest network computes the same as before.

    A neuron's importance is the product of its largest weights: of its up projection and of its gate (both times the norm's gain
    of the input), and of the map that reads it. Sums of squares would miss the few neurons that single channels drive hard and
    that a trained language model needs. Sorting by a text is better (`by_activity`), and training is best.
    """
    found = dict(tensors)
    for each in units:
        (reader,) = each.readers
        gain = tensors[f"{reader.rpartition('/')[0]}/norm.weight"].double()
        sizes = tensors[f"{reader}.weight"].double().abs().amax(0)
        for writer in each.writers:
            sizes = sizes * (tensors[f"{writer}.weight"].double() * gain).abs().amax(1)
        found |= each.sorted(tensors, sizes)
    return found
