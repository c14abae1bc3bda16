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
    metrics: Mapping[str, Sequence[float] | NDArray[np.float64]],
) -> tuple[SearchSpace, dict[str, AdditiveCost]]:
    """The part of a model's space that a library covers, and its metrics: its archs are the model's.

    Args:
        model: the model's space.
        layers: ``(rows,)`` genes by name; a layer that is no gene must have one row, which all subnets pay for.
        choices: ``(rows,)`` of the gene.
        metrics: ``(rows,)`` values per metric.

    Raises:
        SpaceError: a gene without rows, a choice that is none of the gene's, or several rows of what is no gene.
    """
    columns = {gene.name: column for column, gene in enumerate(model.genes)}
    found: dict[int, dict[int, int]] = {column: {} for column in columns.values()}
    constant: dict[str | int, int] = {}
    for row, (layer, choice) in enumerate(zip(layers, choices, strict=True)):
        column = columns.get(str(layer))
        if column is None:
            if constant.setdefault(layer, row) != row:
                rule = f"{model.name} has no such gene, and only genes have several alternatives"
                raise SpaceError(f"layer {layer!r}", rule, "keep one row of it")
            continue
        known = [str(known) for known in model.genes[column].choices]
        if str(choice) not in known:
            rule = f"choices of {layer} in {model.name} are {', '.join(known)}"
            raise SpaceError(f"layer {layer!r}, choice {choice!r}", rule, "remove the row")
        found[column][known.index(str(choice))] = row
    missing = next((gene.name for column, gene in enumerate(model.genes) if not found[column]), None)
    if missing is not None:
        raise SpaceError(f"layer {missing!r}", "it has no rows", "add one per alternative")
    space = SearchSpace(model.name, model.genes, (), [sorted(each) for each in found.values()], base=model.base)
    costs = {}
    for metric, given in metrics.items():
        numbers = np.asarray(given, dtype=np.float64)
        factors = []
        for column, rows in found.items():
            table = np.full(len(model.genes[column].choices), np.nan)
            table[[*rows]] = numbers[[*rows.values()]]
            factors.append(Factor((column,), table))
        # What all subnets cost is added to every choice of the first gene.
        factors.append(Factor((0,), np.full(len(model.genes[0].choices), numbers[[*constant.values()]].sum())))
        costs[metric] = AdditiveCost(space, factors)
    return space, costs
