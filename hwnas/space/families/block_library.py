"""A block library as a space: each layer of a network has several alternatives.

This is the selection problem of Puzzle (Bercovich et al. 2024, arXiv:2411.19146), and of any method that scores replacements of
single layers: one gene per layer, and metrics that are sums over layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._cost import AdditiveCost
from hwnas.space._factors import Factor
from hwnas.space._gene import Gene
from hwnas.space._space import SearchSpace


def block_library(
    layers: Sequence[str | int],
    choices: Sequence[str | int],
    metrics: Mapping[str, Sequence[float] | NDArray[np.float64]],
    name: str = "block_library",
) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    """A space with one gene per layer, and its metrics, from the columns of a table.

    The table has one row per layer and alternative; layers may have different alternatives. An arch has the form
    ``{"block": ["attention", "linear", ...]}``, with layers in the order of their first row.

    Args:
        layers: ``(rows,)`` the layer of each row.
        choices: ``(rows,)`` the alternative of each row.
        metrics: ``(rows,)`` values of each metric: the share of this layer in the sum if this alternative is chosen.
        name: of the space.

    Raises:
        SpaceError: columns have different lengths, a layer has an alternative twice, or a value is not finite.
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
    """The part of a model's space that a library covers, with the model's archs, and its metrics.

    Args:
        model: the model's space.
        layers: ``(rows,)`` names of genes, or of slots that depend only on their precision gene. Any other name must have one
            row, whose values are added for all subnets.
        choices: ``(rows,)`` of the gene.
        precisions: ``(rows,)`` of the layer, if the model has precisions; empty for layers without.
        metrics: ``(rows,)`` values of each metric.

    Raises:
        SpaceError: a gene has no rows; the model lacks a choice or precision; not every choice of a layer has rows in the same
            precisions; or a name that is no gene has several rows.
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
        # The constant is added to every choice of the first gene.
        factors.append(Factor((0,), np.full(len(model.genes[0].choices), numbers[[*constant.values()]].sum())))
        costs[metric] = AdditiveCost(space, factors)
    return space, costs


def _deciding(model: SearchSpace, layer: str) -> tuple[int, ...]:
    """The columns that decide a layer of a library: the gene of that name, and the precision gene of its slot."""
    named = [column for column, gene in enumerate(model.genes) if gene.name == layer]
    inside = [slot for slot in model.slots if slot.name == layer or (named and {*named} <= {*slot.genes})]
    if named and model.genes[named[0]].role != "layer":
        return (named[0],)
    own = {column for slot in inside for column in slot.genes if model.genes[column].role == "precision"}
    return (*named, *sorted(own))


def _setting(
    model: SearchSpace, layer: str, columns: tuple[int, ...], choice: str | int, precision: str
) -> tuple[int, ...]:
    """Choice indices of these columns; a skipped layer has no precision."""
    setting: dict[int, int] = {}
    for column in columns:
        gene = model.genes[column]
        if gene.controller in setting and setting[gene.controller] not in gene.active_for:
            setting[column] = 0
            continue
        what, own = ("precision", precision) if gene.role == "precision" else ("choice", choice)
        known = [str(each) for each in gene.choices]
        if str(own) not in known:
            rule = f"{what}s of {layer} in {model.name} are {', '.join(known)}"
            raise SpaceError(f"layer {layer!r}, {what} {own!r}", rule, "remove the row")
        setting[column] = known.index(str(own))
    return tuple(setting.values())


def _covered(
    model: SearchSpace, column: int, found: Mapping[str, tuple[tuple[int, ...], NDArray[np.intp]]]
) -> list[int]:
    """The choices of a gene that have rows.

    Raises:
        SpaceError: there are none, or a precision has rows for only some choices of its layer.
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
            rule = f"it has rows in {', '.join(str(gene.choices[i]) for i in here)}, but not for every choice in each"
            remedy = "add the missing rows, or remove the others of that precision"
            raise SpaceError(f"layer {layer!r}", rule, remedy)
        left = here
    if not left and gene.role == "precision":
        return [0]
    if not left:
        raise SpaceError(f"layer {gene.name!r}", "it has no rows", "add one per alternative")
    return left
