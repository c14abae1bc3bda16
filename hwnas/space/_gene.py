"""Genes and slots: the decisions that define a subnet, and the places of its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hwnas.errors import HwnasError, SpaceError
from hwnas.space._layer import LayerSpec

Value = int | float | str

Role = Literal["layer", "input", "precision"]
"""Whether a gene changes layers and their weights, the network's input (image resolution, sequence length), or the precision of
a layer."""


@dataclass(frozen=True)
class Gene:
    """One decision.

    Attributes:
        group: its key in an arch (``"ks"``).
        position: index in that key's list; None if the key holds a single value.
        choices: its values in order; a population holds indices into them.
        controller: column of the gene that decides whether this gene is active; None if it is always active.
        active_for: choice indices of the controller for which this gene is active.
        aliases: other values in archs, and the choices that they stand for.
        role: an ``"input"`` gene sets the shape of the network's input, and a ``"precision"`` gene (which
            :func:`hwnas.space.with_precisions` adds) the precision of a layer; both leave weights unchanged.
        unit: of its values, for messages: ``"px"``, ``"tokens"``; empty for plain numbers and words.
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
        """``group``, or ``group[position]`` if the key holds a list: ``ks[3]``."""
        return self.group if self.position is None else f"{self.group}[{self.position}]"


@dataclass(frozen=True)
class Slot:
    """A place in the network whose layer depends on a few genes.

    ``build`` is called with the values (not indices) of ``genes`` in order. It returns the layer, or None if the slot is skipped.
    Inactive genes have their first choice.
    """

    name: str
    genes: tuple[int, ...]
    build: Callable[..., LayerSpec | None]

    def __post_init__(self) -> None:
        object.__setattr__(self, "genes", tuple(self.genes))  # slots are keys, which a list cannot be part of

    def layer(self, *values: Value) -> LayerSpec | None:
        """What ``build`` returns for these values of the genes.

        Raises:
            SpaceError: ``build`` fails, or returns something else than a layer or None.
        """
        where, remedy = f"slot {self.name}, of values {values}", "correct the slot's build"
        try:
            found = self.build(*values)
        except HwnasError:
            raise
        except Exception as error:
            raise SpaceError(where, f"building its layer fails ({type(error).__name__}: {error})", remedy) from error
        if not isinstance(found, LayerSpec | None):
            raise SpaceError(where, f"it returns a {type(found).__name__}, no LayerSpec and no None", remedy)
        return found


def conditional(gene: Gene, controller: int, active_for: Sequence[int]) -> Gene:
    """``gene``, active only if ``controller`` holds one of the choice indices ``active_for``."""
    return replace(gene, controller=controller, active_for=frozenset(active_for))
