"""Conversion between archs (subnets in the form of OFA's configs) and rows of choice indices."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._gene import Value
from hwnas.wording import listed

if TYPE_CHECKING:
    from hwnas.space._space import SearchSpace

Arch = dict[str, Any]
"""One subnet in the form of its supernet's configs, e.g. ``{"ks": [...], "e": [...], "d": [...], "r": 224}``."""


def encoded(space: SearchSpace, archs: Sequence[Mapping[str, Any]]) -> NDArray[np.int16]:
    """``(n, g)`` choice indices of n archs; see `SearchSpace.encode`."""
    x = np.full((len(archs), space.n_genes), -1, dtype=np.int16)
    for i, arch in enumerate(archs):
        _check_keys(space, arch)
        for group, columns in space.groups.items():
            for column, value in zip(columns, _values(space, arch, group, columns), strict=True):
                x[i, column] = space.lookup[column].get(value, -1) if is_value(value) else -1
    wrong = (x < 0) & space.active(np.maximum(x, 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        gene = space.genes[column]
        raise SpaceError(
            f"arch {_clipped(archs[row])}",
            f"{gene.name} of {space.name} is one of {listed(gene.choices)}",
            f"correct {gene.name}" if len(archs) == 1 else f"correct {gene.name} in arch {row}",
        )
    return np.maximum(x, 0)


def decoded(space: SearchSpace, row: Sequence[int]) -> Arch:
    """The arch of a canonical row of choice indices."""
    arch: Arch = {}
    for group, columns in space.groups.items():
        values = [space.genes[c].choices[row[c]] for c in columns]
        arch[group] = values[0] if space.genes[columns[0]].position is None else values
    return arch


def is_value(value: object) -> TypeGuard[Value]:
    """Whether an object can be the value of a gene: a number (also numpy's) or text."""
    return isinstance(value, Real | str)


def _check_keys(space: SearchSpace, arch: object) -> None:
    keys = ", ".join(space.groups)
    if not isinstance(arch, Mapping):
        raise SpaceError(f"arch {_clipped(arch)}", f"an arch of {space.name} maps {keys} to values", "correct it")
    unknown = [k for k, v in arch.items() if k not in space.groups and v is not None]
    if unknown:
        raise SpaceError(f"arch key {unknown[0]!r}", f"{space.name} has {keys}", "remove it")


def _values(space: SearchSpace, arch: Mapping[str, Any], group: str, columns: list[int]) -> Sequence[Any]:
    value = arch.get(group)
    if value is None:
        fixed = [space.domain[c] for c in columns]
        if all(len(d) == 1 for d in fixed):
            return [space.genes[c].choices[d[0]] for c, d in zip(columns, fixed, strict=True)]
        raise SpaceError(f"arch {_clipped(arch)}", f"{space.name} needs {group!r}", f"add {group!r}")
    single = space.genes[columns[0]].position is None
    values = list(value) if isinstance(value, list | tuple | np.ndarray) else [value] if single else None
    if values is None or len(values) != len(columns):
        raise SpaceError(
            f"arch key {group!r} = {_clipped(value)}",
            f"{space.name} needs {'one value' if single else f'a list of {len(columns)}'}",
            f"correct {group!r}, or name the arch's space",
        )
    return values


def _clipped(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 160 else f"{text[:120]} ... {text[-30:]}"
