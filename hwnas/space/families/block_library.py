"""A block library as a space: for each layer of a network one of several alternatives.

The form of the selection problem in Puzzle (Bercovich et al. 2024, arXiv:2411.19146) and of any method
that scores replacements layer by layer: one gene per layer, and metrics that are sums over layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._cost import AdditiveCost, Factor
from hwnas.space._gene import Gene
from hwnas.space._space import SearchSpace


def block_library(
    layers: Sequence[str | int],
    choices: Sequence[str | int],
    metrics: Mapping[str, Sequence[float] | NDArray[np.float64]],
    name: str = "block_library",
) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    """A space with one gene per layer, and its metrics.

    The four columns of a table with one row per layer and alternative; layers need not have the same
    alternatives. An arch reads ``{"block": ["attention", "linear", ...]}``, in order of first appearance.

    Args:
        layers: ``(rows,)`` which layer each row is about.
        choices: ``(rows,)`` which alternative.
        metrics: ``(rows,)`` values per metric: what the layer adds to the whole if this alternative is chosen.
        name: of the space.

    Raises:
        SpaceError: columns of different lengths, a pair of layer and choice given twice, or a value that is
            not finite.
    """
    rows = len(layers)
    lengths = {"choice": len(choices)} | {metric: len(values) for metric, values in metrics.items()}
    for column, length in lengths.items():
        if length != rows:
            raise SpaceError(f"column {column!r}", f"it has {length} rows, the layers {rows}", "complete it")
    if not rows:
        raise SpaceError(f"block library {name}", "it has no rows", "give one per layer and alternative")
    alternatives: dict[str | int, dict[str | int, int]] = {}
    for row, (layer, choice) in enumerate(zip(layers, choices, strict=True)):
        if alternatives.setdefault(layer, {}).setdefault(choice, row) != row:
            raise SpaceError(f"layer {layer!r}, choice {choice!r}", "it is given twice", "keep one row")
    genes = [Gene("block", i, tuple(found)) for i, found in enumerate(alternatives.values())]
    space = SearchSpace(name, genes, slots=())
    costs = {}
    for metric, given in metrics.items():
        numbers = np.asarray(given, dtype=np.float64)
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            where = f"{metric} of layer {layers[row]!r}, choice {choices[row]!r}"
            raise SpaceError(where, f"{numbers[row]} is not a finite number", "correct it")
        tables = [numbers[list(found.values())] for found in alternatives.values()]
        costs[metric] = AdditiveCost(space, [Factor((i,), table) for i, table in enumerate(tables)])
    return space, costs


def of_model(
    model: SearchSpace,
    layers: Sequence[str | int],
    choices: Sequence[str | int],
    precisions: Sequence[str],
    metrics: Mapping[str, Sequence[float] | NDArray[np.float64]],
) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    """The part of a model's space that a library covers, and its metrics: its archs are the model's.

    Args:
        model: the model's space.
        layers: ``(rows,)`` genes by name, or slots that no gene but their precision decides; what is neither must have one row,
            which all subnets pay for.
        choices: ``(rows,)`` of the gene.
        precisions: ``(rows,)`` of the layer, where the model's layers have their own; empty where it has none.
        metrics: ``(rows,)`` values per metric.

    Raises:
        SpaceError: a gene without rows; a choice or a precision that is none of the model's, or that other rows of its layer have
            and this one lacks; several rows of what is no gene.
    """
    found: dict[str, tuple[tuple[int, ...], NDArray[np.intp]]] = {}
    constant: dict[str, int] = {}
    for row, (layer, choice, precision) in enumerate(zip(map(str, layers), choices, precisions, strict=True)):
        columns = _deciding(model, layer)
        if not columns:
            if constant.setdefault(layer, row) != row:
                rule = f"{model.name} has no such gene, and only genes have several alternatives"
                raise SpaceError(f"layer {layer!r}", rule, "keep one row of it")
            continue
        sizes = [len(model.genes[column].choices) for column in columns]
        _, rows = found.setdefault(layer, (columns, np.full(sizes, -1, dtype=np.intp)))
        rows[_setting(model, layer, columns, choice, precision)] = row
    domain = [_covered(model, column, found) for column in range(len(model.genes))]
    space = SearchSpace(model.name, model.genes, (), domain, base=model.base, plain=model.plain)
    costs = {}
    for metric, given in metrics.items():
        numbers = np.asarray(given, dtype=np.float64)
        factors = [Factor(columns, np.where(rows < 0, np.nan, numbers[rows])) for columns, rows in found.values()]
        # What all subnets cost is added to every choice of the first gene.
        factors.append(Factor((0,), np.full(len(model.genes[0].choices), numbers[[*constant.values()]].sum())))
        costs[metric] = AdditiveCost(space, factors)
    return space, costs


def _deciding(model: SearchSpace, layer: str) -> tuple[int, ...]:
    """The columns that decide a layer of a library: the gene that it is named after, and that of its slot's precision."""
    named = [column for column, gene in enumerate(model.genes) if gene.name == layer]
    inside = [slot for slot in model.slots if slot.name == layer or (named and {*named} <= {*slot.genes})]
    if named and model.genes[named[0]].role != "layer":
        return (named[0],)
    own = {column for slot in inside for column in slot.genes if model.genes[column].role == "precision"}
    return (*named, *sorted(own))


def _setting(
    model: SearchSpace, layer: str, columns: tuple[int, ...], choice: str | int, precision: str
) -> tuple[int, ...]:
    """The choices of these columns by number; a layer that is left out has no precision."""
    setting: dict[int, int] = {}
    for column in columns:
        gene = model.genes[column]
        if gene.controller in setting and setting[gene.controller] not in gene.active_for:
            setting[column] = 0
            continue
        own = precision if gene.role == "precision" else choice
        known = [str(each) for each in gene.choices]
        if str(own) not in known:
            what = "precision" if gene.role == "precision" else "choice"
            of = "precisions" if gene.role == "precision" else "choices"
            rule = f"{of} of {layer} in {model.name} are {', '.join(known)}"
            raise SpaceError(f"layer {layer!r}, {what} {own!r}", rule, "remove the row")
        setting[column] = known.index(str(own))
    return tuple(setting.values())


def _covered(
    model: SearchSpace, column: int, found: Mapping[str, tuple[tuple[int, ...], NDArray[np.intp]]]
) -> list[int]:
    """The choices of a gene that rows are there of.

    Raises:
        SpaceError: there are none, or one of them is there with some choices of its layer only.
    """
    gene = model.genes[column]
    left: list[int] | None = None
    for layer, (columns, rows) in found.items():
        if column not in columns:
            continue
        own: NDArray[np.bool_] = (rows >= 0).reshape(-1, rows.shape[-1])
        if columns[-1] != column:
            own = np.logical_or.reduce(own, axis=1)[None]
        if gene.controller in columns:
            own = own[sorted(gene.active_for)]
        own = own[np.logical_or.reduce(own, axis=1)]  # (other choices of the layer that are there, choices of the gene)
        here = np.flatnonzero(np.logical_or.reduce(own, axis=0)).tolist()
        if not own[:, here].all() or left not in (None, here):
            rule = (
                f"it is there in {', '.join(str(gene.choices[i]) for i in here)}, but not every choice in all of them"
            )
            raise SpaceError(
                f"layer {layer!r}", rule, "add the rows that are missing, or remove the others of that precision"
            )
        left = here
    if not left and gene.role == "precision":
        return [0]
    if not left:
        raise SpaceError(f"layer {gene.name!r}", "it has no rows", "add one per alternative")
    return left
