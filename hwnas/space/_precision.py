"""Precision as a gene: any space, with a choice of precision for each slot.

APQ (Wang et al. 2020, arXiv:2006.08509) and SimQ-NAS (Sridhar et al. 2023, arXiv:2312.13301) search architecture and precisions
together. Only this file knows how precisions are added to a space.

Between a slot of integers and one of real numbers, values are converted. Such a boundary is a slot of its own. It is empty unless
both neighbours run, nothing between them runs, and their precisions differ. So costs stay sums over slots.

The kernels of each precision have their own memory layout (onnxruntime: blocks of channels for real numbers, channels last for
integers), and a conversion writes the plain layout. The layer after a conversion must reorder its input first. A layer that adds
its input to its result computes in the plain layout and passes it on. So the latency of a layer depends on whether its input has
the layout that a conversion wrote, directly or through any number of such sums, and its key shows that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, starmap
from typing import Any

from hwnas.errors import SpaceError
from hwnas.space._conditions import Conditions
from hwnas.space._gene import Gene, Slot, Value
from hwnas.space._layer import LayerSpec
from hwnas.space._oplist import OpList
from hwnas.space._space import SearchSpace
from hwnas.space.ops import Shape

PRECISION_GENE = "q"
"""The arch key of the precisions."""

_REACH = 4
"""Number of earlier places through which a layout is tracked; each one doubles the settings that a layer's cost depends on."""


@dataclass(frozen=True)
class Forms:
    """How precisions change layers.

    Attributes:
        differs: whether a layer changes in a lower precision; only then it has that choice.
        rounds: whether a precision rounds the values between layers, or only weights.
        takes: whether a layer reads its input as rounded numbers, in a precision that rounds.
        gives: whether a layer writes its output as rounded numbers, in a precision that rounds.
        keeps: whether a layer's output is a sum of its unchanged input and something else.
        shares: the earlier slot whose weights and precision a layer shares; None if it has its own weights.
    """

    differs: Callable[[LayerSpec, str], bool]
    rounds: Callable[[str], bool]
    takes: Callable[[LayerSpec], bool]
    gives: Callable[[LayerSpec], bool]
    keeps: Callable[[LayerSpec], bool]
    shares: Callable[[LayerSpec], str | None]


def precisions_named(name: str) -> tuple[str, tuple[str, ...]]:
    """Space and precisions of a name from :func:`with_precisions`; for another name, the name and no precisions."""
    found = re.fullmatch(r"(.+)-([a-z]+\d+(?:\+[a-z]+\d+)+)", name)
    return (found[1], tuple(found[2].split("+"))) if found else (name, ())


def with_precisions(space: SearchSpace, precisions: Sequence[str], forms: Forms) -> SearchSpace:
    """The space with a precision gene for every slot that precisions change, named ``"<space>-fp32+int8"``.

    The new genes come after those of ``space``, so predictors and columns of ``space`` stay valid. A skipped slot has no
    precision; a slot that precisions do not change computes in the first one; a slot with shared weights has their precision.

    Args:
        space: without precisions.
        precisions: two or more, the highest first.
        forms: how they change layers.

    Raises:
        SpaceError: the space has no layers, or has precisions already; a precision changes no layer; or several genes decide
            whether a slot is skipped.
    """
    if not space.slots or PRECISION_GENE in space.groups:
        rule = "it has no layers" if not space.slots else f"it has a gene {PRECISION_GENE} already"
        raise SpaceError(f"space {space.name}", rule, "search it in one precision")
    mixing = _Mixing(space, tuple(precisions), forms)
    known = {choice for gene in mixing.genes if gene.role == "precision" for choice in gene.choices}
    if idle := [p for p in precisions[1:] if p not in known]:
        left = ",".join(p for p in precisions if p not in idle)
        rule = f"none of its layers changes in {idle[0]}"
        raise SpaceError(f"space {space.name}", rule, f"search it in {left}")
    domain = [allowed.tolist() for allowed in space.domain]
    domain += [list(range(len(gene.choices))) for gene in mixing.genes[space.n_genes :]]
    base = with_precisions(space.base, precisions, forms) if space.base is not None else None
    name = f"{space.name}-{'+'.join(precisions)}"
    reference = f"{space.reference}-{'+'.join(precisions)}"
    return SearchSpace(name, mixing.genes, mixing.slots(), domain, base=base, plain=space.whole, reference=reference)


@dataclass(frozen=True)
class _Place:
    """A slot, with facts about its precision.

    Attributes:
        slot: with its own genes only.
        gene: column of its precision gene; None if it has none.
        skipper: column of the gene that may skip the slot, and the choices for which it runs; None if it always runs.
        takes, gives, keeps: see `Forms`.
        shaped: columns that the shape of its input depends on.
    """

    slot: Slot
    gene: int | None
    skipper: tuple[int, frozenset[int]] | None
    takes: bool
    gives: bool
    keeps: bool
    shaped: tuple[int, ...]

    @property
    def surely_new(self) -> bool:
        """Whether later places never see the layout of earlier ones."""
        return self.skipper is None and not self.keeps


class _Mixing:
    """Genes and slots with precisions."""

    def __init__(self, space: SearchSpace, precisions: tuple[str, ...], forms: Forms) -> None:
        self.space, self.precisions, self.forms = space.whole, precisions, forms
        self.genes: list[Gene] = list(space.genes)
        # Which slots are skipped, and which layers differ, does not depend on the input size.
        part = next(self.space.by_input())
        self.places: list[_Place] = []
        for slot in space.slots:
            self.places.append(self._place(part, slot))
        self._conditions = Conditions(self.genes)
        self._earlier = [self._before(i) for i in range(len(self.places))]

    def _place(self, part: SearchSpace, slot: Slot) -> _Place:
        settings = part.slot_layers(slot)
        layers = [layer for _, layer in settings if layer is not None]
        skipper = _skipper(part, slot)
        column = None
        first, *lower = self.precisions
        lower = [p for p in lower if any(self.forms.differs(layer, p) for layer in layers)]
        rounded = any(map(self.forms.rounds, lower))
        shared = next(filter(None, map(self.forms.shares, layers)), None)
        if shared is not None:
            column = next(place.gene for place in self.places if place.slot.name == shared)
        elif lower:
            column = len(self.genes)
            gene = Gene(PRECISION_GENE, column - self.space.n_genes, (first, *lower), role="precision")
            if skipper is not None:
                gene = replace(gene, controller=skipper[0], active_for=skipper[1])
            self.genes.append(gene)
        shapes = {setting: layer.input_shape for setting, layer in settings if layer is not None}
        inputs = [c for c in slot.genes if c in part.input_genes]
        matters = [c for i, c in enumerate(slot.genes) if c not in inputs and _matters(shapes, i)]
        return _Place(
            slot,
            column,
            skipper,
            rounded and any(map(self.forms.takes, layers)),
            rounded and any(map(self.forms.gives, layers)),
            any(map(self.forms.keeps, layers)),
            tuple(inputs + matters),
        )

    def slots(self) -> list[Slot]:
        """The slots of the space with precisions, each after the boundaries that may convert its input."""
        found: list[Slot] = []
        for i in range(len(self.places)):
            for j in range(i - 1, -1, -1):
                boundary = self._boundary(j, i)
                found += [boundary] if boundary is not None else []
                if self.places[j].skipper is None:
                    break
            found.append(self._mixed(i))
        return found

    def _mixed(self, i: int) -> Slot:
        """A slot's layers with their precisions and the layout of their input."""
        place = self.places[i]
        slot, own = place.slot, [] if place.gene is None else [place.gene]
        columns = self._columns([*slot.genes, *own], self._earlier[i])

        @cache
        def layer(precision: str, converted: bool, *values: Value) -> LayerSpec | None:
            bare = slot.build(*values)
            return None if bare is None else bare.in_precision(precision, converted=converted)

        def build(*values: Value) -> LayerSpec | None:
            at = dict(zip(columns, values, strict=True))
            if not self._runs(place, at):
                return None
            return layer(self._precision(place, at), self._is_converted(i, at), *(at[c] for c in slot.genes))

        return Slot(slot.name, columns, build)

    def _boundary(self, j: int, i: int) -> Slot | None:
        """The slot that converts values from place ``j`` to place ``i``, if nothing between runs; None if it never would."""
        before, between, after = self.places[j], self.places[j + 1 : i], self.places[i]
        if not self._may_meet(before, after):
            return None
        earlier = self._earlier[j] if before.keeps else []
        columns = self._columns(after.shaped, [before, *between, after, *earlier])

        def build(*values: Value) -> LayerSpec | None:
            at = dict(zip(columns, values, strict=True))
            if not all(self._runs(p, at) for p in (before, after)) or any(self._runs(p, at) for p in between):
                return None
            if not self._meet(before, after, at):
                return None
            plain = before.keeps and self._is_converted(j, at)
            return _conversion(self._layer(after, at), self._outside(after, at), converted=plain)

        return Slot(f"{before.slot.name}_to_{after.slot.name}", columns, build)

    def _may_meet(self, before: _Place, after: _Place) -> bool:
        """Whether values may be converted between two places."""
        return (after.takes and after.gene is not None) or (before.gives and before.gene is not None)

    def _meet(self, before: _Place, after: _Place, at: Mapping[int, Value]) -> bool:
        """Whether values are converted between two places that run."""
        given, taken = self._outside(before, at), self._outside(after, at)
        if given == taken:
            return False
        return before.gives if taken == self.precisions[0] else after.takes

    def _precision(self, place: _Place, at: Mapping[int, Value]) -> str:
        return self.precisions[0] if place.gene is None else str(at[place.gene])

    def _outside(self, place: _Place, at: Mapping[int, Value]) -> str:
        """The precision of a place's inputs and outputs: the highest, if only its weights are rounded."""
        own = self._precision(place, at)
        return own if self.forms.rounds(own) else self.precisions[0]

    def _before(self, i: int) -> list[_Place]:
        """Earlier places that may decide the layout of a place's input, nearest first; empty if nothing is converted."""
        found: list[_Place] = []
        for place in self.places[max(0, i - _REACH) : i][::-1]:
            found.append(place)
            if place.surely_new:
                break
        chain = [*found[::-1], self.places[i]]
        return found if any(starmap(self._may_meet, combinations(chain, 2))) else []

    def _is_converted(self, i: int, at: Mapping[int, Value]) -> bool:
        """Whether a place's input has the layout that a conversion wrote."""
        after = self.places[i]
        for place in self._earlier[i]:
            if not self._runs(place, at):
                continue
            if self._meet(place, after, at):
                return True
            if not place.keeps:
                return False
            after = place
        return False

    def _columns(self, own: Iterable[int], places: Iterable[_Place]) -> tuple[int, ...]:
        """``own`` columns, and those that decide whether ``places`` run and in which precision, with their controllers."""
        wanted = set(own)
        for place in places:
            wanted |= {place.gene} if place.gene is not None else set()
            wanted |= {place.skipper[0]} if place.skipper is not None else set()
        return tuple(sorted(wanted | {c for w in wanted for c in self._conditions.controllers(w)}))

    def _runs(self, place: _Place, at: Mapping[int, Value]) -> bool:
        """Whether a place runs. An inactive skipper holds its first choice."""
        if place.skipper is None:
            return True
        column, running = place.skipper
        choices = {c: self.space.lookup[c][at[c]] for c in (column, *self.space.conditions.controllers(column))}
        return choices[column] in running and self.space.conditions.holds(column, choices)

    def _layer(self, place: _Place, at: Mapping[int, Value]) -> LayerSpec:
        """The layer of a running place; only its input shape and ops matter, so other columns hold their first choice."""
        layer = place.slot.build(*(at.get(c, self.space.genes[c].choices[0]) for c in place.slot.genes))
        assert layer is not None
        return layer


def _conversion(after: LayerSpec, precision: str, *, converted: bool) -> LayerSpec:
    """The layer that converts the input of layer ``after``; runtimes convert once for each op that reads it."""
    shape, readers = after.input_shape, sum(0 in op.inputs for op in after.ops)
    ops = OpList(shape)
    ops.convert("convert", 0, precision)
    key = f"convert-{'x'.join(map(str, shape))}" + (f"-{readers}times" if readers > 1 else "")
    return ops.layer(key).in_precision(precision, converted=converted)


def _matters(shapes: Mapping[tuple[int, ...], Shape], position: int) -> bool:
    """Whether any two settings that differ only in one gene have different shapes."""
    seen: dict[tuple[Any, ...], Shape] = {}
    others = ((setting[:position] + setting[position + 1 :], shape) for setting, shape in shapes.items())
    return any(seen.setdefault(rest, shape) != shape for rest, shape in others)


def _skipper(space: SearchSpace, slot: Slot) -> tuple[int, frozenset[int]] | None:
    """The gene that decides whether a slot runs, and the choices for which it does; None if it always does.

    Raises:
        SpaceError: several genes decide it.
    """
    runs = {setting: layer is not None for setting, layer in space.slot_layers(slot)}
    if all(runs.values()):
        return None
    for position, column in enumerate(slot.genes):
        running: dict[int, bool] = {}
        for setting, here in runs.items():
            active = space.conditions.holds(column, dict(zip(slot.genes, setting, strict=True)))
            if here != (active and running.setdefault(setting[position], here)):
                break
        else:
            if all(running.values()):  # its controller decides
                continue
            return column, frozenset(choice for choice, here in running.items() if here)
    rule = "more than one gene decides whether it runs"
    raise SpaceError(f"slot {slot.name} of {space.name}", rule, "search it in one precision")
