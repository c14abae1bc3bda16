"""Archs in tables.

A table has either one column ``arch`` or ``Sub-network`` (JSON, or a Python literal as DyNAS-T and pandas write it), or one
column per arch key as in OFA's tables: ``ks, e, d, r`` with values joined by dashes (``5-7-0-0``; 0 marks a skipped layer) or as
a string of digits (``5700``).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from hwnas.errors import DataError, SpaceError
from hwnas.io._csv import shown
from hwnas.space import PRECISION_GENE, Population, SearchSpace
from hwnas.wording import listed

COLUMNS = ("arch", "Sub-network")
"""Columns of whole archs."""


def arch_column(x: NDArray[Any], space: SearchSpace) -> list[str]:
    """The ``arch`` column of a population: one JSON text per row."""
    return [json.dumps(arch) for arch in space.decode_many(x)]


def read_archs(frame: pd.DataFrame, space: SearchSpace) -> Population:
    """Canonical ``(n, g)`` rows of the subnets of a table.

    Args:
        frame: with a column ``arch`` or ``Sub-network``, or one column per arch key. Keys that the space fixes to one choice
            may be missing.
        space: of the archs. The resolution may be called ``image_size``, as in OFA's tables.

    Raises:
        DataError: there are no such columns, or an arch is unreadable or not of the space; rows count from 1.
    """
    column = next((name for name in COLUMNS if name in frame.columns), None)
    archs = _from_columns(frame, space) if column is None else _parsed(frame[column], column)
    _refuse_precisions(archs, space)
    archs = [_as_numbers(_renamed(arch, space), space) for arch in archs]
    try:
        return space.encode_many(archs)
    except SpaceError:
        for i, arch in enumerate(archs):
            try:
                space.encode(arch)
            except SpaceError as error:
                raise DataError(f"row {i + 1}, {error.value}", error.rule, error.remedy) from error
        raise


def parse_arch(cell: object) -> dict[str, Any] | None:
    """The arch in a cell, as JSON or a Python literal; None if there is none."""
    text = str(cell)
    for parse in (json.loads, ast.literal_eval):
        try:
            arch = parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(arch, dict):
            return arch
    return None


def _parsed(column: pd.Series[Any], name: str) -> list[dict[str, Any]]:
    archs = []
    for i, cell in enumerate(column):
        arch = parse_arch(cell)
        if arch is None:
            rule = 'an arch is JSON like {"ks": [...], ...}, or the same as a Python dict'
            raise DataError(f"row {i + 1}, {name} {shown(cell)}", rule, "correct the cell")
        archs.append(arch)
    return archs


def _refuse_precisions(archs: Sequence[Mapping[str, Any]], space: SearchSpace) -> None:
    """Refuse archs with a precision per layer if the space has none."""
    lists = [arch[PRECISION_GENE] for arch in archs if isinstance(arch.get(PRECISION_GENE), list)]
    known = {each for values in lists for each in values if isinstance(each, str) and re.fullmatch(r"[a-z]+\d+", each)}
    if PRECISION_GENE in space.groups or not known:
        return
    widest_first = sorted({"fp32", *known}, key=lambda each: -int(re.sub(r"\D", "", each)))
    rule = f"layers have precisions, {listed(widest_first)}, but not in {space.name}"
    remedy = f"pass --precision {','.join(widest_first)}, or name the space {space.name}-{'+'.join(widest_first)}"
    raise DataError(f"arch key {PRECISION_GENE!r}", rule, remedy)


def _as_numbers(arch: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """The arch with numbers in place of text (``"224"``), where the space has such choices."""
    return {key: _meant(value, space, key) if key in space.groups else value for key, value in arch.items()}


def _meant(value: Any, space: SearchSpace, group: str) -> Any:
    if isinstance(value, list | tuple):
        return [_meant(v, space, group) for v in value]
    if not isinstance(value, str):
        return value
    gene = space.genes[space.groups[group][0]]
    number = _value(value)
    return value if value in gene.choices or value in gene.aliases or number not in gene.choices else number


def _from_columns(frame: pd.DataFrame, space: SearchSpace) -> list[dict[str, Any]]:
    named = {g: "image_size" if g == "r" and "r" not in frame.columns else g for g in space.groups}
    present = [g for g, name in named.items() if name in frame.columns]
    if not present:
        raise DataError(
            f"columns {', '.join(map(str, frame.columns[:8]))}",
            f"archs of {space.name} need a column 'arch' (JSON) or columns {', '.join(space.groups)}",
            "rename or add them",
        )
    archs: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for group in present:
        columns = space.groups[group]
        single = space.genes[columns[0]].position is None
        for i, cell in enumerate(frame[named[group]]):
            values = [_value(str(cell))] if single else _values(str(cell), len(columns))
            if len(values) != len(columns):
                rule = f"{space.name} needs {len(columns)} values, joined by dashes or as digits"
                raise DataError(f"row {i + 1}, {group} {shown(cell)}", rule, "correct the cell")
            archs[i][group] = values[0] if single else values
    return archs


def _values(cell: str, n: int) -> list[int | float | str]:
    cell = cell.strip().strip("[]()")
    if len(cell) == n and cell.isascii() and cell.isdigit():
        return [int(c) for c in cell]
    return [_value(token) for token in re.split(r"\s*[-,;\s]\s*", cell)]


def _value(token: str) -> int | float | str:
    token = token.strip().strip("[]()")
    try:
        return int(token)
    except ValueError:
        pass
    try:
        return float(token)
    except ValueError:
        return token


def _renamed(arch: Mapping[str, Any], space: SearchSpace) -> Mapping[str, Any]:
    if "image_size" in arch and "r" in space.groups and "r" not in arch:
        return {"r" if key == "image_size" else key: value for key, value in arch.items()}
    return arch
