"""Which genes have an effect: a gene may depend on another, its controller, which may itself depend on a third.

Conditions form trees. A gene has an effect if its controller holds one of certain choices *and* has an effect itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._gene import Gene


class Conditions:
    """The trees of conditions between genes.

    Args:
        genes: the decisions, in column order.

    Raises:
        SpaceError: a gene depends on itself, or one that sets the input depends on anything.
    """

    def __init__(self, genes: Sequence[Gene]) -> None:
        self.genes = tuple(genes)
        self.dependents: dict[int, list[int]] = {}
        for column, gene in enumerate(self.genes):
            if gene.controller is None:
                continue
            self.dependents.setdefault(gene.controller, []).append(column)
            if gene.role == "input":
                raise SpaceError(f"gene {gene.name}", "it sets the input, which is always there", "drop its condition")
        for column in range(len(self.genes)):
            self.controllers(column)

    def controllers(self, column: int) -> tuple[int, ...]:
        """Columns of the genes that a gene depends on: its controller, the controller's controller, and so on."""
        found: list[int] = []
        while (controller := self.genes[found[-1] if found else column].controller) is not None:
            if controller == column or controller in found:
                rule = "it depends on itself, through its controller"
                raise SpaceError(f"gene {self.genes[column].name}", rule, "let conditions form a tree")
            found.append(controller)
        return tuple(found)

    @cached_property
    def order(self) -> list[int]:
        """All columns, controllers before the genes that depend on them."""
        return sorted(range(len(self.genes)), key=lambda column: (len(self.controllers(column)), column))

    @cached_property
    def awake(self) -> dict[int, NDArray[np.bool_]]:
        """Per controller column, ``(choices, dependents)``: which of its dependents each choice lets have an effect."""
        return {
            controller: np.array(
                [
                    [choice in self.genes[c].active_for for c in columns]
                    for choice in range(len(self.genes[controller].choices))
                ]
            )
            for controller, columns in self.dependents.items()
        }

    def active(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """Which genes have an effect: ``(n, g)`` booleans for an ``(n, g)`` population."""
        mask = np.ones(x.shape, dtype=bool)
        for controller in self.order:
            columns = self.dependents.get(controller)
            if columns is not None:
                mask[:, columns] = self.awake[controller][x[:, controller]] & mask[:, [controller]]
        return mask

    def holds(self, column: int, choices: dict[int, int]) -> bool:
        """Whether a gene has an effect, given the choices of all that it depends on."""
        while (controller := self.genes[column].controller) is not None:
            if choices[controller] not in self.genes[column].active_for:
                return False
            column = controller
        return True

    def settings(self, column: int, domain: Sequence[NDArray[np.int16]]) -> list[int]:
        """For each choice of the gene's domain, how many distinct settings of the genes below it there are."""
        counts = []
        for choice in domain[column].tolist():
            count = 1
            for dependent in self.dependents.get(column, []):
                if choice in self.genes[dependent].active_for:
                    count *= sum(self.settings(dependent, domain))
            counts.append(count)
        return counts
