"""The choices of a front's members: one table per gene group, in which skipped layers are marked."""

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
"""Titles of the genes in hwnas's own spaces; other genes have their key as title."""


@dataclass(frozen=True)
class ChosenGenes:
    """The choices of n members for the p genes of one group.

    Attributes:
        key: key in an arch (``"ks"``).
        choices: the values that its genes have, ascending.
        stages: ``(p,)`` stage of each gene, from 0.
        codes: ``(n, p)`` indices into ``choices``, or -1 if the member skips that layer.
        unit: unit of the choices; empty if they have none or the space is not known.
    """

    key: str
    choices: tuple[int | float | str, ...]
    stages: tuple[int, ...]
    codes: NDArray[np.int16]
    unit: str = ""

    @property
    def title(self) -> str:
        """Title of the group; the key if it is not known."""
        return TITLES.get(self.key, self.key)


def chosen(frame: pd.DataFrame, space: SearchSpace | None) -> list[ChosenGenes]:
    """The gene groups of a Pareto frame, in the order of the space.

    Args:
        frame: a frame with a column ``arch``.
        space: decides which layers a depth skips; without it every value of an arch counts as chosen.
    """
    if space is not None:
        try:
            return _of_space(frame, space)
        except HwnasError:  # archs edited by hand, or of another version of the space, are shown without it
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
    """Stage of each layer. A stage begins with layers that every subnet has and ends with layers that its depth may skip."""
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
    """Sort key: numbers by size, then words."""
    return (True, value) if isinstance(value, str) else (False, value)
