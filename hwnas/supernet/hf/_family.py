"""A family of encoders: what its folders call their settings and their tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwnas.errors import SupernetError
from hwnas.space.ops import Function
from hwnas.supernet.hf._encoder import Encoder, Head
from hwnas.supernet.hf._folder import CONFIG, fraction, number
from hwnas.supernet.hf._inputs import ImageInput, TextInput

FUNCTIONS: dict[str, Function] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
"""Activations by the names that configurations give them."""


@dataclass(frozen=True)
class Family:
    """An encoder as its folder describes it.

    Attributes:
        encoder, fed: its sizes, and what it is fed.
        names: of its tensors, ``{"layer.{i}/query": "encoder.layer.{i}.attention.self.query", ...}``, each without
            ``.weight`` or ``.bias``; ``{i}`` is the layer.
        prefix: of all tensors but the head's, where the file has a head.
        head: names of the head's tensors. A classifier of two has one for each of two tokens, whose logits are averaged.
        first_position: of the table's row for the first token.
        scales: names of vectors by which what an op writes is multiplied, by the op as in ``names``: they become part of its
            weights (LayerScale: Touvron et al. 2021, arXiv:2103.17239).
    """

    encoder: Encoder
    fed: TextInput | ImageInput
    names: Mapping[str, str]
    prefix: str
    head: Mapping[str, tuple[str, ...]]
    first_position: int = 0
    scales: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FamilyKind:
    """A family of networks.

    Attributes:
        of: ``(config, tuned, folder)`` to the family of one network.
        heads: names of tensors; a folder that comes with a classification head has all of one line.
    """

    of: Callable[[Mapping[str, Any], bool, str], Family]
    heads: tuple[tuple[str, ...], ...]

    def tuned(self, names: frozenset[str]) -> bool:
        """Whether tensors of these names are with a classification head."""
        return any(names.issuperset(head) for head in self.heads)


def function_of(config: Mapping[str, Any], folder: str, *, usual: str) -> Function:
    """The activation that a configuration states, or else the usual one.

    Raises:
        SupernetError: it is not supported.
    """
    name = config.get("hidden_act", usual)
    if not isinstance(name, str) or name not in FUNCTIONS:
        rule = f"its activation is {name!r}, known are {', '.join(FUNCTIONS)}"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "give a network with one of them")
    return FUNCTIONS[name]


def encoder_of(config: Mapping[str, Any], folder: str, head: Head, *, norm_first: bool = False) -> Encoder:
    """The sizes that a configuration states.

    Raises:
        SupernetError: some are missing, or not supported.
    """
    function = function_of(config, folder, usual="gelu")
    channels, heads = number(config, "hidden_size", folder), number(config, "num_attention_heads", folder)
    if channels % heads:
        rule = f"{channels} channels cannot be shared by {heads} heads"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "restore it")
    labels = config.get("id2label")
    named = len(labels) if isinstance(labels, dict) else 0
    classes = named or number(config, "num_labels", folder, usual=2)
    return Encoder(
        layers=number(config, "num_hidden_layers", folder),
        heads=heads,
        channels=channels,
        ffn=number(config, "intermediate_size", folder),
        function=function,
        eps=fraction(config, "layer_norm_eps", folder, usual=1e-12),
        norm_first=norm_first,
        head=head,
        classes=classes,
        qkv_bias=bool(config.get("qkv_bias", True)),
    )
