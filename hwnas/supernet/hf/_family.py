"""A family of encoders: the names of settings and tensors in its folders."""

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
"""Activations by their names in configurations."""


@dataclass(frozen=True)
class Family:
    """An encoder as its folder describes it.

    Attributes:
        encoder: its sizes.
        fed: its input.
        names: the folder's names of tensors by hwnas's, ``{"layer.{i}/query": "encoder.layer.{i}.attention.self.query",
            ...}``, without ``.weight`` and ``.bias``; ``{i}`` is the layer.
        prefix: of all tensors except the head's, in files with a head.
        head: names of the head's tensors. Two names are the classifiers of two tokens, whose logits are averaged.
        first_position: row of the position table for the first token.
        scales: names of vectors that scale an op's output, by the op as in ``names``. They are folded into the op's weights
            (LayerScale: Touvron et al. 2021, arXiv:2103.17239).
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
        of: maps ``(config, tuned, folder)`` to the family of one network.
        heads: alternative lists of tensors; a folder with a classification head has all tensors of one list.
    """

    of: Callable[[Mapping[str, Any], bool, str], Family]
    heads: tuple[tuple[str, ...], ...]

    def tuned(self, names: frozenset[str]) -> bool:
        """Whether these tensors include a classification head."""
        return any(names.issuperset(head) for head in self.heads)


def function_of(config: Mapping[str, Any], folder: str, *, usual: str) -> Function:
    """The activation that a configuration states, or else the usual one.

    Raises:
        SupernetError: the activation is not supported.
    """
    name = config.get("hidden_act", usual)
    if not isinstance(name, str) or name not in FUNCTIONS:
        rule = f"its activation is {name!r}, and hwnas knows {', '.join(FUNCTIONS)}"
        raise SupernetError(f"hf:{folder}, {CONFIG}", rule, "give a network with one of them")
    return FUNCTIONS[name]


def encoder_of(config: Mapping[str, Any], folder: str, head: Head, *, norm_first: bool = False) -> Encoder:
    """The sizes that a configuration states.

    Raises:
        SupernetError: a size is missing or not supported.
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
