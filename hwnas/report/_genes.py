"""What the members of a front chose: one small table per gene group, skipped layers told from chosen ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import HwnasError
from hwnas.io import read_archs
from hwnas.space import SearchSpace

SKIPPED = -1
TITLES = {
    "ks": "Kernel size",
    "e": "Expansion ratio",
    "d": "Depth",
    "w": "Width",
    "q": "Precision",
    "h": "Attention heads",
    "f": "FFN width",
    "r": "Image size",
    "l": "Sequence length",
}
"""Of the genes that hwnas's own spaces use; others go by their key."""


@dataclass(frozen=True)
class ChosenGenes:
    """What the members of a front chose for the genes of one group.

    Attributes:
        key: of the arch config (``"ks"``).
        choices: the values that occur in its genes, ascending.
        stages: ``(p,)`` stage of each position, from 0.
        codes: ``(n, p)`` index into ``choices`` per member, or -1 where the member skips that layer.
        unit: of the choices; empty for plain numbers, or where the space is not known.
    """

    key: str
    choices: tuple[int | float | str, ...]
    stages: tuple[int, ...]
    codes: NDArray[np.int16]
    unit: str = ""

    @property
    def title(self) -> str:
        """For people; the key where the gene is not one of ours."""
        return TITLES.get(self.key, self.key)


def chosen(frame: pd.DataFrame, space: SearchSpace | None) -> list[ChosenGenes]:
    """The gene groups of a Pareto frame, in the order of the space.

    Args:
        frame: with its column ``arch``.
        space: tells which layers a depth skips. Without it every value of an arch counts as chosen.
    """
    if space is not None:
        try:
            return _of_space(frame, space)
        except HwnasError:  # edited by hand, or of a later version of the space: still worth showing
            pass
    return _of_json([json.loads(cell) for cell in frame["arch"]])


def _of_space(frame: pd.DataFrame, space: SearchSpace) -> list[ChosenGenes]:
    x = read_archs(frame, space)
    active = space.active(x)
    groups = []
    for key, columns in space.groups.items():
        choices = tuple(sorted({c for i in columns for c in space.genes[i].choices}, key=_order))
        codes = np.full((len(x), len(columns)), SKIPPED, dtype=np.int16)
        for p, i in enumerate(columns):
            renumbered = np.array([choices.index(c) for c in space.genes[i].choices], dtype=np.int16)
            codes[:, p] = np.where(active[:, i], renumbered[x[:, i]], SKIPPED)
        stages = _stages([space.genes[i].controller is not None for i in columns])
        groups.append(ChosenGenes(key, choices, stages, codes, space.genes[columns[0]].unit))
    return groups


def _stages(skippable: Sequence[bool]) -> tuple[int, ...]:
    """A stage begins with layers that every subnet has and ends with those that its depth may skip."""
    if not any(skippable):
        return tuple(range(len(skippable)))
    stages, stage = [], 0
    for p, now in enumerate(skippable):
        stage += p > 0 and skippable[p - 1] and not now
        stages.append(int(stage))
    return tuple(stages)


def _of_json(archs: Sequence[Mapping[str, Any]]) -> list[ChosenGenes]:
    groups = []
    for key in archs[0] if archs else ():
        values: list[list[Any]] = [v if isinstance(v, list) else [v] for v in (arch.get(key) for arch in archs)]
        width = max(map(len, values))
        simple = all(isinstance(v, int | float | str) for row in values for v in row)
        if not simple or not width:
            continue
        choices = tuple(sorted({v for row in values for v in row}, key=_order))
        codes = np.full((len(archs), width), SKIPPED, dtype=np.int16)
        for i, row in enumerate(values):
            codes[i, : len(row)] = [choices.index(v) for v in row]
        groups.append(ChosenGenes(str(key), choices, tuple(range(width)), codes))
    return groups


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size, before words."""
    return (True, value) if isinstance(value, str) else (False, value)
