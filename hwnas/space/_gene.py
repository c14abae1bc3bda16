"""Genes and slots: the decisions that make a subnet, and the layers that few of them decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hwnas.space._layer import LayerSpec

Value = int | float | str

Role = Literal["layer", "input", "precision"]
"""Whether a gene changes layers and their weights, what enters the network (image resolution, sequence length), or what
a layer computes in."""


@dataclass(frozen=True)
class Gene:
    """One decision.

    Attributes:
        group: key of the arch config it is written under (``"ks"``).
        position: index in that key's list; None if the key holds a single value.
        choices: its values, in order; a population holds indices into them.
        controller: index of the gene that decides whether this one has an effect; None if it always has.
        active_for: choice indices of the controller for which it has.
        aliases: other values that upstream writes, and the choice each stands for.
        role: an ``"input"`` gene sets the shape of the network's input and leaves its weights alone; so does a
            ``"precision"`` gene, which :func:`hwnas.space.with_precisions` adds.
        unit: what its values count, for people: ``"px"``, ``"tokens"``; empty for plain numbers and words.
    """

    group: str
    position: int | None
    choices: tuple[Value, ...]
    controller: int | None = None
    active_for: frozenset[int] = frozenset()
    aliases: Mapping[Value, Value] = field(default_factory=dict)
    role: Role = "layer"
    unit: str = ""

    @property
    def name(self) -> str:
        """``group``, and ``group[position]`` where there are several: ``ks[3]``."""
        return self.group if self.position is None else f"{self.group}[{self.position}]"


@dataclass(frozen=True)
class Slot:
    """A place in the network whose layer depends on few genes.

    ``build`` is called with the values (not indices) of ``genes`` in order, and returns the layer,
    or None where the depth skips it. Genes that have no effect hold their first choice.
    """

    name: str
    genes: tuple[int, ...]
    build: Callable[..., LayerSpec | None]


def conditional(gene: Gene, controller: int, active_for: Sequence[int]) -> Gene:
    """``gene``, with an effect only while ``controller`` holds one of the choice indices ``active_for``."""
    return replace(gene, controller=controller, active_for=frozenset(active_for))
