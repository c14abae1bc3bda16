"""A decoder's tensors by our names, its neurons in order of importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.supernet._units import Units
from hwnas.supernet.hf.decoder._families import file_name

PREFIX = "model."
"""Of all tensors but the head's; folders of the bare network leave it out."""


def renamed(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]], layers: int, folder: str
) -> dict[str, Tensor]:
    """Those that the network wants, in fp32; what the folder lacks is left out.

    Raises:
        SupernetError: there is a layer that the configuration does not count.
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
    """The tensors with the neurons of each FFN in another order, which changes nothing of the largest network.

    Narrower ones keep those first that have large weights: by the product of the largest weight that a neuron reads by (times
    its input's gain in the norm), of its gate's and of what reads it. Sums of squares would miss the few neurons that single
    channels drive hard, which a trained language model cannot do without. A text tells better (`by_activity`), and training best.
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
