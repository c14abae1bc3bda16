"""What every search space must do."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from hwnas.errors import HwnasError
from hwnas.metric import WRITTEN, metrics
from hwnas.search import Objective, Problem, run_search
from hwnas.space import LayerSpec, Population, SearchSpace, macs_cost, network_inputs, params_cost
from hwnas.study._space import restricted
from hwnas.testing._check import Check, require


def names_are_unique(space: SearchSpace) -> None:
    """No two genes, and no two slots, have the same name."""
    genes, slots = [gene.name for gene in space.genes], [slot.name for slot in space.slots]
    require(len(set(genes)) == len(genes), f"two genes have the same name: {genes}")
    require(len(set(slots)) == len(slots), f"two slots have the same name: {slots}")


def names_can_be_typed(space: SearchSpace) -> None:
    """The space's name can be part of a file's name; genes and their choices are what ``--fix GENE=VALUE`` reads; and no gene is
    named as another column of a CSV."""
    name = space.name
    require(name and not set(name) & set(" \t\n,:/\\"), f"{name!r} cannot be typed, or be part of a file's name")
    taken = {*WRITTEN, *(metric.column for metric in metrics().values())}
    for group in space.groups:
        require(group not in taken, f"a gene is named {group!r}, as another column of a CSV")
    for gene, domain in zip(space.genes, space.domain, strict=True):
        for choice in (gene.choices[i] for i in domain):
            fix = f"{gene.name}={choice}"
            try:
                kept = restricted(space, [fix]).restrictions.get(gene.name, gene.choices)
            except HwnasError as error:
                raise AssertionError(f"--fix {fix!r} is not read: {error}") from error
            require(list(kept) == [choice], f"--fix {fix!r} keeps {list(kept)}")


def choices_are_distinct(space: SearchSpace) -> None:
    """Choices are distinct, aliases stand for some of them, and a condition switches the gene off in some subnets."""
    for gene in space.genes:
        require(len(set(gene.choices)) == len(gene.choices), f"{gene.name} has a choice twice: {gene.choices}")
        require(set(gene.aliases.values()) <= set(gene.choices), f"an alias of {gene.name} stands for no choice")
        if gene.controller is not None:
            every = set(range(len(space.genes[gene.controller].choices)))
            rule = f"{gene.name} is active for every choice of its controller, or for unknown ones"
            require(gene.active_for < every, rule)


def archs_survive_json(space: SearchSpace) -> None:
    """Rows survive decoding to archs, writing as JSON, reading and encoding."""
    rows = _rows(space)
    archs = json.loads(json.dumps(space.decode_many(rows)))
    np.testing.assert_array_equal(space.encode_many(archs), rows)


def layers_chain(space: SearchSpace) -> None:
    """The slots of a subnet are in order, from at least one input to a single vector."""
    for row in _rows(space) if space.slots else ():
        network = space.network(row)
        names = [name for name, _ in network]
        require(names == [slot.name for slot in space.slots if slot.name in names], f"slots are out of order: {names}")
        require(network_inputs(network), "the network has no input")
        shape = network[-1][1].output_shape
        require(len(shape) == 1, f"the last layer returns {shape}, not a vector")


def input_genes_set_the_inputs(space: SearchSpace) -> None:
    """Genes with ``role="input"``, and only they, set the shapes of the network's inputs; no weight depends on them."""
    if not space.slots:
        return
    rows = _rows(space)
    fed = [str(network_inputs(space.network(row))) for row in rows]
    settings = [tuple(row[space.input_genes].tolist()) for row in rows]
    pairs = len(set(zip(fed, settings, strict=True)))
    require(len(set(fed)) == len(set(settings)) == pairs, "inputs and input genes do not go together one to one")
    weights: dict[tuple[object, ...], object] = {}
    for row in rows[:5]:
        for part in space.by_input():
            at = row.copy()
            at[space.input_genes] = [part.domain[c][0] for c in space.input_genes]
            for slot, layer in space.network(at):
                for op in layer.ops:
                    key = (*np.delete(row, space.input_genes).tolist(), slot, op.name)
                    same = weights.setdefault(key, op.weights) == op.weights
                    require(same, f"weights of {slot}/{op.name} depend on an input gene")


def one_key_is_one_layer(space: SearchSpace) -> None:
    """Layers of one key have the same ops: latency tables know layers only by their keys."""
    found: dict[str, LayerSpec] = {}
    for slot in space.slots:
        for _, layer in space.slot_layers(slot):
            if layer is not None:
                same = found.setdefault(layer.key, layer).ops == layer.ops
                require(same, f"key {layer.key} stands for two different layers: put their difference into it")
    require(found.keys() == space.layers().keys(), "layers() does not list the layers of all slots")


def costs_lie_between_their_extremes(space: SearchSpace) -> None:
    """MACs and parameters are positive, and the smallest and largest subnets bound all others."""
    if not space.slots:
        return
    rows = _rows(space)
    for cost in (macs_cost(space), params_cost(space)):
        values = cost(rows)
        (low, low_row), (high, high_row) = cost.minimum(), cost.maximum()
        require(0 < low <= values.min(), f"a subnet costs {values.min()}, the smallest {low}")
        require(values.max() <= high, f"a subnet costs {values.max()}, the largest {high}")
        ends = np.stack([low_row, high_row])
        require([low, high] == cost(ends).tolist() and space.contains(ends).all(), "an extreme is no subnet")


def searches_find_fronts(space: SearchSpace) -> None:
    """A short search for few MACs and many parameters, at one setting of the inputs, finds subnets of the space."""
    if not space.slots:
        return
    part = next(space.by_input())
    fewest = Objective("macs", "MACs", maximise=False, fn=macs_cost(part))
    most = Objective("params", "", maximise=True, fn=params_cost(part))
    result = run_search(Problem(part, [fewest, most], []), "nsga2", population=20, generations=5, seed=0)
    require(space.contains(result.x).all(), "the front has rows outside the space")
    require(len(result.x) > 1, "the front is one subnet")


def _rows(space: SearchSpace, n: int = 25) -> Population:
    """Random subnets, half of them uniform among distinct subnets, half uniform in every gene."""
    rng = np.random.default_rng(11)
    return np.concatenate([space.sample(n, rng), space.sample(n, rng, distinct_uniform=False)])


SPACE_CHECKS: Sequence[Check] = (
    names_are_unique,
    names_can_be_typed,
    choices_are_distinct,
    archs_survive_json,
    layers_chain,
    input_genes_set_the_inputs,
    one_key_is_one_layer,
    costs_lie_between_their_extremes,
    searches_find_fronts,
)
"""Checks of a SearchSpace; spaces without layers pass those about layers."""
