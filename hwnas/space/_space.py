"""SearchSpace: ordered integer genes, the layers that depend on them, and exact counting and sampling.

A population is an ``(n, g)`` integer array of choice indices, with one row per subnet and one column per gene. A gene may be
inactive: the kernel of a layer that the stage's depth skips has no effect. The canonical form sets inactive genes to 0, so that
equal subnets are equal rows.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.space._archs import Arch, decoded, encoded, is_value
from hwnas.space._conditions import Conditions
from hwnas.space._gene import Gene, Slot, Value
from hwnas.space._layer import LayerSpec
from hwnas.wording import listed

Population = NDArray[np.int16]
"""``(n, g)`` choice indices."""


class SearchSpace:
    """An immutable space of subnets.

    Args:
        name: registered name; part of the fingerprint.
        genes: the decisions, in column order.
        slots: the layers, in network order.
        domain: allowed choice indices of each gene; by default all. A restriction does not change the meaning of rows, so
            populations, tables and predictors can be exchanged.
        base: the space that :func:`hwnas.space.with_classes` derived this one from; they share all layers but the last.
        plain: the space that :func:`hwnas.space.with_precisions` derived this one from; its genes come first.
        reference: the argument of ``--space`` that opens the space; by default its name.
    """

    def __init__(
        self,
        name: str,
        genes: Sequence[Gene],
        slots: Sequence[Slot],
        domain: Sequence[Sequence[int]] | None = None,
        *,
        base: SearchSpace | None = None,
        plain: SearchSpace | None = None,
        reference: str | None = None,
    ) -> None:
        self.name = name
        self.reference = reference or name
        self.base = base
        self.plain = plain
        self.genes = tuple(genes)
        self.slots = tuple(slots)
        self.conditions = Conditions(self.genes)
        allowed = domain if domain is not None else [range(len(g.choices)) for g in self.genes]
        self.domain = tuple(np.asarray(sorted(d), dtype=np.int16) for d in allowed)
        self._slot_layers: dict[Slot, tuple[tuple[tuple[int, ...], LayerSpec | None], ...]] = {}
        self._check()

    def _check(self) -> None:
        for slot in self.slots:
            for column in slot.genes:
                if not 0 <= column < self.n_genes:
                    rule = f"gene {column} is not among the {self.n_genes} genes of {self.name}, which count from 0"
                    raise SpaceError(f"slot {slot.name}", rule, "correct its genes")
                for controller in self.conditions.controllers(column):
                    if controller not in slot.genes:
                        names = self.genes[column].name, self.genes[controller].name
                        rule = f"its gene {names[0]} depends on {names[1]}, which is not among its genes"
                        raise SpaceError(f"slot {slot.name}", rule, f"add {names[1]} to its genes")

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return len(self.genes)

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the encoding (name, genes, conditions), which does not depend on the domain."""
        genes = [(g.name, g.choices, g.controller, sorted(g.active_for)) for g in self.genes]
        return hashlib.sha256(json.dumps([self.name, genes]).encode()).hexdigest()[:16]

    @cached_property
    def groups(self) -> dict[str, list[int]]:
        """Columns of each arch key, in order."""
        groups: dict[str, list[int]] = {}
        for column, gene in enumerate(self.genes):
            groups.setdefault(gene.group, []).append(column)
        return groups

    @cached_property
    def input_genes(self) -> list[int]:
        """Columns of the genes that set the network's input: image resolution, sequence length."""
        return [column for column, gene in enumerate(self.genes) if gene.role == "input"]

    @property
    def input_values(self) -> dict[str, list[Value]]:
        """Choices of each input gene in the domain, by name: ``{"r": [192, 224]}``."""
        return {self.genes[c].name: [self.genes[c].choices[i] for i in self.domain[c]] for c in self.input_genes}

    @property
    def restrictions(self) -> dict[str, list[Value]]:
        """Choices in the domain of each gene that the domain restricts, by name."""
        return {
            gene.name: [gene.choices[i] for i in allowed]
            for gene, allowed in zip(self.genes, self.domain, strict=True)
            if len(allowed) < len(gene.choices)
        }

    @property
    def input_text(self) -> str:
        """Choices of the input genes in words: ``"192, 224 px"``; of several genes ``"l=1; p=512"``; empty if there are none."""
        if len(self.input_values) > 1:
            return "; ".join(f"{name}={listed(values)}" for name, values in self.input_values.items())
        units = [self.genes[c].unit for c in self.input_genes]
        return ", ".join(
            f"{listed(values)} {unit}".strip() for values, unit in zip(self.input_values.values(), units, strict=True)
        )

    def by_input(self) -> Iterator[SearchSpace]:
        """The space restricted to each setting of its input genes in turn; just the space if it has none."""
        values = self.input_values
        for setting in itertools.product(*values.values()):
            yield self.restrict(**dict(zip(values, setting, strict=True)))

    @property
    def precisions(self) -> tuple[str, ...]:
        """Choices of the precision genes; empty if there are none."""
        own = [tuple(map(str, gene.choices)) for gene in self.genes if gene.role == "precision"]
        return max(own, key=len, default=())

    @cached_property
    def whole(self) -> SearchSpace:
        """The space without restrictions."""
        if self.allowed.all():
            return self
        return self._copy(None, self.reference)

    @property
    def dependents(self) -> dict[int, list[int]]:
        """Columns of the conditional genes of each controller column."""
        return self.conditions.dependents

    @property
    def awake(self) -> dict[int, NDArray[np.bool_]]:
        """For each controller column ``(choices, dependents)``: whether the choice activates the dependent."""
        return self.conditions.awake

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """``(g + 1,)``: the choices of all genes are numbered consecutively. The number of each gene's first choice, and last
        the number of all choices."""
        return np.cumsum([0, *(len(gene.choices) for gene in self.genes)]).astype(np.intp)

    @cached_property
    def allowed(self) -> NDArray[np.bool_]:
        """``(choices,)``: whether each choice, numbered as in ``starts``, is in the domain."""
        allowed = np.zeros(self.starts[-1], dtype=bool)
        for start, domain in zip(self.starts, self.domain, strict=False):
            allowed[start + domain] = True
        return allowed

    # --- rows -------------------------------------------------------------------------------

    @property
    def no_rows(self) -> Population:
        """``(0, g)``: an empty population."""
        return np.zeros((0, self.n_genes), dtype=np.int16)

    def active(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """``(n, g)``: whether each gene of an ``(n, g)`` population is active."""
        return self.conditions.active(x)

    def canonical(self, x: NDArray[Any]) -> Population:
        """A copy in which inactive genes are 0, so that equal subnets are equal rows."""
        return np.where(self.active(x), x, 0).astype(np.int16)

    def completed(self, x: NDArray[Any], rng: np.random.Generator) -> Population:
        """A copy in which inactive genes hold random choices of their domain, for when another gene activates them."""
        drawn = np.stack([rng.choice(allowed, size=len(x)) for allowed in self.domain], axis=1)
        return np.where(self.active(x), x, drawn).astype(np.int16)

    def contains(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """``(n,)``: whether each row's active genes are in the domain."""
        inside = np.ones(len(x), dtype=bool)
        active = self.active(x)
        for column, allowed in enumerate(self.domain):
            inside &= np.isin(x[:, column], allowed) | ~active[:, column]
        return inside

    def checked(self, x: NDArray[Any]) -> NDArray[Any]:
        """``x`` as an array; raises SpaceError unless it holds ``(n, g)`` integers that are choice indices of this space."""
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.n_genes or x.dtype.kind not in "iu":
            found = f"rows of shape {x.shape}, type {x.dtype}"
            raise SpaceError(found, f"{self.name} has {self.n_genes} integer genes", "encode archs with this space")
        sizes = np.diff(self.starts)
        if len(x) and (x.min() < 0 or (x.max(axis=0) >= sizes).any()):
            row, column = np.argwhere((x < 0) | (x >= sizes))[0]
            gene = self.genes[column]
            rule = f"{gene.name} of {self.name} has choices 0 to {len(gene.choices) - 1}, counted in order"
            raise SpaceError(
                f"row {row} of the population, choice {x[row, column]}", rule, "encode archs with this space"
            )
        return x

    # --- archs ------------------------------------------------------------------------------

    def encode(self, arch: Mapping[str, Any]) -> Population:
        """The canonical ``(g,)`` row of an arch.

        Inactive genes may hold anything (upstream writes 0 or leaves a value). A key with only one choice in the domain may be
        missing.

        Raises:
            SpaceError: a key is missing or unknown, or a value is not a choice.
        """
        row: Population = self.encode_many([arch])[0]
        return row

    def encode_many(self, archs: Sequence[Mapping[str, Any]]) -> Population:
        """Canonical ``(n, g)`` rows of ``n`` archs. See :meth:`encode`."""
        return self.canonical(encoded(self, archs))

    @cached_property
    def lookup(self) -> list[dict[Value, int]]:
        """For each gene, the choice index of every value that an arch may hold, including aliases."""
        tables = []
        for gene in self.genes:
            index = {value: i for i, value in enumerate(gene.choices)}
            tables.append({alias: index[value] for alias, value in gene.aliases.items()} | index)
        return tables

    def decode(self, row: NDArray[Any]) -> Arch:
        """The arch of a ``(g,)`` row, in which inactive genes hold their first choice.

        Raises:
            SpaceError: ``row`` is no row of this space.
        """
        return self.decode_many(np.asarray(row)[None])[0]

    def decode_many(self, x: NDArray[Any]) -> list[Arch]:
        """The archs of ``(n, g)`` rows. See :meth:`decode`."""
        return [decoded(self, row) for row in self.canonical(self.checked(x)).tolist()]

    # --- counting, sampling, restricting ----------------------------------------------------

    def size(self) -> int:
        """Exact number of distinct subnets."""
        size = 1
        for column, gene in enumerate(self.genes):
            if gene.controller is None:
                size *= sum(self.conditions.settings(column, self.domain))
        return size

    def sample(self, n: int, rng: np.random.Generator, *, distinct_uniform: bool = True) -> Population:
        """``(n, g)`` canonical rows, drawn with replacement.

        Args:
            n: number of rows.
            rng: draws them.
            distinct_uniform: True draws every distinct subnet with equal probability, so that deep subnets, of which there are
                most, are frequent. False draws every gene uniformly, like upstream's ``sample_active_subnet``.
        """
        x = np.zeros((n, self.n_genes), dtype=np.int16)
        for column, gene in enumerate(self.genes):
            p = None
            if distinct_uniform and (gene.controller is None or column in self.dependents):
                weights = np.array(self.conditions.settings(column, self.domain), dtype=float)
                p = weights / weights.sum()
            x[:, column] = rng.choice(self.domain[column], size=n, p=p)
        return self.canonical(x)

    def every(self, most: int) -> Population | None:
        """All distinct ``(n, g)`` rows, or None if the genes have more than ``most`` settings."""
        n = math.prod(len(d) for d in self.domain)
        if n > most:
            return None
        x = np.zeros((n, self.n_genes), dtype=np.int16)
        rest = np.arange(n)
        for column, allowed in enumerate(self.domain):
            x[:, column] = allowed[rest % len(allowed)]
            rest //= len(allowed)
        return np.unique(self.canonical(x), axis=0)

    def restrict(self, **allowed: Sequence[Value] | Value) -> SearchSpace:
        """The same space with fewer choices: ``restrict(r=224)``, ``restrict(d=[2, 3])``, ``restrict(**{"ks[0]": 7})``.

        Raises:
            SpaceError: a gene is unknown, a value is none of its choices, or a gene would have no choice left.
        """
        domain = [d.tolist() for d in self.domain]
        for name, wanted in allowed.items():
            columns = self.groups.get(name) or [c for c, g in enumerate(self.genes) if g.name == name]
            if not columns:
                raise SpaceError(f"gene {name!r}", f"{self.name} has {', '.join(self.groups)}", "correct the name")
            values: list[Value] = [wanted] if is_value(wanted) else list(wanted)  # type: ignore[arg-type]
            for value in values:
                if not any(value in self.lookup[c] for c in columns):
                    choices = list(dict.fromkeys(v for c in columns for v in self.genes[c].choices))
                    raise SpaceError(f"{name} = {value}", f"its choices are {listed(choices)}", "correct the value")
            for column in columns:
                gene = self.genes[column]
                named = {self.lookup[column].get(value) for value in values}
                kept = [i for i in domain[column] if i in named]
                if not kept:
                    left = listed([gene.choices[i] for i in domain[column]])
                    raise SpaceError(f"{gene.name} = {listed(values)}", f"its choices are {left}", "pick one")
                domain[column] = kept
        return self.with_domain(domain)

    def with_domain(self, domain: Sequence[Sequence[int]]) -> SearchSpace:
        """The same space with another domain: allowed choice indices of each gene."""
        part = self._copy(domain, self.reference)
        part.whole = self.whole  # all parts share one object, which caches its layers
        return part

    def opened_by(self, reference: str) -> SearchSpace:
        """The same space with another ``reference``."""
        return self if reference == self.reference else self._copy([d.tolist() for d in self.domain], reference)

    def _copy(self, domain: Sequence[Sequence[int]] | None, reference: str) -> SearchSpace:
        return SearchSpace(
            self.name, self.genes, self.slots, domain, base=self.base, plain=self.plain, reference=reference
        )

    # --- layers -----------------------------------------------------------------------------

    def network(self, row: NDArray[Any]) -> list[tuple[str, LayerSpec]]:
        """``(slot name, layer)`` of the subnet in network order; skipped slots are left out.

        Raises:
            SpaceError: ``row`` is no row of this space.
        """
        row = self.canonical(self.checked(np.asarray(row)[None]))[0]
        layers = []
        for slot in self.slots:
            layer = slot.layer(*(self.genes[c].choices[row[c]] for c in slot.genes))
            if layer is not None:
                layers.append((slot.name, layer))
        return layers

    def slot_layers(self, slot: Slot) -> Sequence[tuple[tuple[int, ...], LayerSpec | None]]:
        """Every canonical setting of a slot's genes in the domain, with its layer."""
        if slot not in self._slot_layers:
            self._slot_layers[slot] = tuple(self._settings(slot))
        return self._slot_layers[slot]

    def _settings(self, slot: Slot) -> Iterator[tuple[tuple[int, ...], LayerSpec | None]]:
        columns = list(slot.genes)
        inside = {c: frozenset(self.domain[c].tolist()) for c in columns}
        # An inactive gene is 0 even if its domain does not contain 0.
        conditional = [c for c in columns if self.genes[c].controller is not None]
        domains = [sorted({0, *inside[c]} if c in conditional else inside[c]) for c in columns]
        choices = [self.genes[c].choices for c in columns]
        for setting in itertools.product(*domains):
            choice = dict(zip(columns, setting, strict=True))
            if all(choice[c] in inside[c] if self.conditions.holds(c, choice) else choice[c] == 0 for c in conditional):
                yield setting, slot.layer(*(allowed[i] for allowed, i in zip(choices, setting, strict=True)))

    def layers(self) -> dict[str, LayerSpec]:
        """All distinct layers of the domain by key, in network order."""
        found: dict[str, LayerSpec] = {}
        for slot in self.slots:
            for _, layer in self.slot_layers(slot):
                if layer is not None:
                    found.setdefault(layer.key, layer)
        return found

    def __repr__(self) -> str:
        return f"SearchSpace({self.name!r}, {self.n_genes} genes, {self.size():.3g} subnets)"
