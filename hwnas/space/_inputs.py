"""Input sizes that are not among a space's choices, which is possible because weights do not depend on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hwnas.space._archs import is_value
from hwnas.space._gene import Value
from hwnas.space._space import SearchSpace


def with_inputs(space: SearchSpace, **sizes: Value | Sequence[Value]) -> SearchSpace:
    """The space restricted to inputs of certain sizes: ``with_inputs(space, l=300, p=0)``.

    A new size is added after the other choices, so that existing rows keep their meaning.

    Args:
        space: its slots must build layers for any size.
        sizes: one or several for each input gene.
    """
    wanted = {name: [given] if is_value(given) else [*given] for name, given in sizes.items()}  # type: ignore[misc]
    known = all({*wanted[gene.name]} <= {*gene.choices} for gene in space.genes if gene.name in wanted)
    return (space if known else _with_choices(space, wanted)).restrict(**wanted)


def _with_choices(space: SearchSpace, sizes: Mapping[str, Sequence[Value]]) -> SearchSpace:
    genes = [
        replace(gene, choices=tuple(dict.fromkeys([*gene.choices, *sizes.get(gene.name, ())]))) for gene in space.genes
    ]
    domain = [
        [*allowed.tolist(), *range(len(old.choices), len(new.choices))]
        for allowed, old, new in zip(space.domain, space.genes, genes, strict=True)
    ]
    base, plain = (of and _with_choices(of, sizes) for of in (space.base, space.plain))
    return SearchSpace(space.name, genes, space.slots, domain, base=base, plain=plain, reference=space.reference)
