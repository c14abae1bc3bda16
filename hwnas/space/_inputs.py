"""Inputs of other sizes than a space has choices of: what its networks are fed is no part of them."""

from __future__ import annotations

from dataclasses import replace

from hwnas.space._gene import Gene, Value
from hwnas.space._space import SearchSpace


def with_inputs(space: SearchSpace, **sizes: Value) -> SearchSpace:
    """The part of a space whose networks are fed with inputs of these sizes: ``with_inputs(space, l=300, p=0)``.

    A size that is no choice yet is one behind the others: rows of the space mean the same.

    Args:
        space: whose slots build layers for any such size.
        sizes: by input gene.
    """
    known = all(sizes[gene.name] in gene.choices for gene in space.genes if gene.name in sizes)
    return (space if known else _with_choices(space, sizes)).restrict(**sizes)


def _with_choices(space: SearchSpace, sizes: dict[str, Value]) -> SearchSpace:
    genes = [_with_choice(gene, sizes[gene.name]) if gene.name in sizes else gene for gene in space.genes]
    domain = [
        [*allowed.tolist(), *range(len(old.choices), len(new.choices))]
        for allowed, old, new in zip(space.domain, space.genes, genes, strict=True)
    ]
    base, plain = (of and _with_choices(of, sizes) for of in (space.base, space.plain))
    return SearchSpace(space.name, genes, space.slots, domain, base=base, plain=plain, reference=space.reference)


def _with_choice(gene: Gene, size: Value) -> Gene:
    return gene if size in gene.choices else replace(gene, choices=(*gene.choices, size))
