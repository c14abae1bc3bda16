"""Which genes are active, that is, have an effect. A gene may depend on another gene, its controller.

A gene with a controller is active if the controller is active *and* holds one of certain choices. Conditions form trees.
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
        SpaceError: a gene depends on itself, or an input gene has a controller.
    """

    def __init__(self, genes: Sequence[Gene]) -> None:
        self.genes = tuple(genes)
        self.dependents: dict[int, list[int]] = {}
        for column, gene in enumerate(self.genes):
            if gene.controller is None:
                continue
            self.dependents.setdefault(gene.controller, []).append(column)
            if gene.role == "input":
                raise SpaceError(f"gene {gene.name}", "it sets the input, so it is always active", "drop its condition")
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
        """For each controller column ``(choices, dependents)``: whether the choice activates the dependent."""
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
        """``(n, g)``: whether each gene of an ``(n, g)`` population is active."""
        mask = np.ones(x.shape, dtype=bool)
        for controller in self.order:
            columns = self.dependents.get(controller)
            if columns is not None:
                mask[:, columns] = self.awake[controller][x[:, controller]] & mask[:, [controller]]
        return mask

    def holds(self, column: int, choices: dict[int, int]) -> bool:
        """Whether a gene is active, given the choices of all genes that it depends on."""
        while (controller := self.genes[column].controller) is not None:
            if choices[controller] not in self.genes[column].active_for:
                return False
            column = controller
        return True

    def settings(self, column: int, domain: Sequence[NDArray[np.int16]]) -> list[int]:
        """For each choice in the gene's domain, the number of distinct settings of the genes that depend on it."""
        counts = []
        for choice in domain[column].tolist():
            count = 1
            for dependent in self.dependents.get(column, []):
                if choice in self.genes[dependent].active_for:
                    count *= sum(self.settings(dependent, domain))
            counts.append(count)
        return counts
