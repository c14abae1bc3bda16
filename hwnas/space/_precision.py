"""Precision as a gene: any space, with a choice of what each slot computes in.

APQ (Wang et al. 2020, arXiv:2006.08509) and SimQ-NAS (Sridhar et al. 2023, arXiv:2312.13301) search architecture and
precisions together. Nothing but this file knows how precisions come into a space.

Where a slot of integers meets one of real numbers, values are converted. Such a boundary is a slot of its own, which is
empty unless its two neighbours run, nothing between them does, and they differ: so costs stay sums over slots.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwnas.errors import SpaceError
from hwnas.space._gene import Gene, Slot, Value
from hwnas.space._layer import LayerSpec
from hwnas.space._oplist import OpList
from hwnas.space._space import SearchSpace
from hwnas.space.ops import Shape

GROUP = "q"
"""The key of an arch that holds precisions."""


@dataclass(frozen=True)
class Forms:
    """What lower precisions make of a layer.

    Attributes:
        differs: whether it is another layer in a lower precision; else it has no choice.
        takes: whether in a lower precision the first thing that it does is to read its input as such numbers.
        gives: whether in a lower precision it leaves its output as such numbers.
    """

    differs: Callable[[LayerSpec], bool]
    takes: Callable[[LayerSpec], bool]
    gives: Callable[[LayerSpec], bool]


def precisions_named(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The space and the precisions of a name that :func:`with_precisions` gives; None if it is no such name."""
    found = re.fullmatch(r"(.+)-([a-z]+\d+(?:\+[a-z]+\d+)+)", name)
    return (found[1], tuple(found[2].split("+"))) if found else None


def with_precisions(space: SearchSpace, precisions: Sequence[str], forms: Forms) -> SearchSpace:
    """The space with a precision for every slot that differs in it, named ``"<space>-fp32+int8"``.

    Its genes follow those of ``space``, so that what is known of these columns holds for it too. A slot that is skipped has
    no precision; one that does not differ computes in the first.

    Args:
        space: without precisions.
        precisions: two or more, the highest first.
        forms: what they make of layers.

    Raises:
        SpaceError: it has no layers, has precisions already, or slots that several genes skip.
    """
    if not space.slots or GROUP in space.groups:
        rule = "it has no layers" if not space.slots else f"it has a gene {GROUP} already"
        raise SpaceError(f"space {space.name}", rule, "search it in one precision")
    mixing = _Mixing(space, tuple(precisions), forms)
    domain = [allowed.tolist() for allowed in space.domain]
    domain += [list(range(len(precisions)))] * (len(mixing.genes) - space.n_genes)
    base = with_precisions(space.base, precisions, forms) if space.base is not None else None
    name = f"{space.name}-{'+'.join(precisions)}"
    return SearchSpace(name, mixing.genes, mixing.slots(), domain, base=base, plain=space.whole)


@dataclass(frozen=True)
class _Place:
    """A slot among the others.

    Attributes:
        slot: with its own genes alone.
        gene: column of its precision; None if it has none.
        skipper: column of the gene that skips it, and the choices for which it runs; None if it always runs.
        takes, gives: see `Forms`.
        shaped: columns that the shape of its input depends on.
    """

    slot: Slot
    gene: int | None
    skipper: tuple[int, frozenset[int]] | None
    takes: bool
    gives: bool
    shaped: tuple[int, ...]


class _Mixing:
    """Genes and slots with precisions."""

    def __init__(self, space: SearchSpace, precisions: tuple[str, ...], forms: Forms) -> None:
        self.space, self.precisions, self.forms = space.whole, precisions, forms
        self.genes: list[Gene] = list(space.genes)
        # What is skipped, and what differs, does not depend on what enters.
        part = next(self.space.by_input())
        self.places = [self._place(part, slot) for slot in space.slots]

    def _place(self, part: SearchSpace, slot: Slot) -> _Place:
        settings = part.slot_layers(slot)
        layers = [layer for _, layer in settings if layer is not None]
        skipper = _skipper(part, slot)
        column = None
        if any(self.forms.differs(layer) for layer in layers):
            column = len(self.genes)
            gene = Gene(GROUP, column - self.space.n_genes, self.precisions, role="precision")
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
            any(map(self.forms.takes, layers)),
            any(map(self.forms.gives, layers)),
            tuple(inputs + matters),
        )

    def slots(self) -> list[Slot]:
        """The slots of the space in their precisions, each behind what converts its input."""
        found: list[Slot] = []
        for i, place in enumerate(self.places):
            for j in range(i - 1, -1, -1):
                boundary = self._boundary(self.places[j], self.places[j + 1 : i], place)
                found += [boundary] if boundary is not None else []
                if self.places[j].skipper is None:
                    break
            found.append(self._mixed(place))
        return found

    def _mixed(self, place: _Place) -> Slot:
        build = place.slot.build
        if place.gene is None:
            fixed = self.precisions[0]
            return replace(place.slot, build=lambda *values: _computed(build(*values), fixed))
        columns = (*place.slot.genes, place.gene)
        return Slot(place.slot.name, columns, lambda *values: _computed(build(*values[:-1]), str(values[-1])))

    def _boundary(self, before: _Place, between: Sequence[_Place], after: _Place) -> Slot | None:
        """What converts the values that go from one slot to another, past those between; None if nothing ever does."""
        lowers = after.takes and after.gene is not None
        raises = before.gives and before.gene is not None
        if not lowers and not raises:
            return None
        own = [c for c in (before.gene, after.gene) if c is not None]
        skippers = [p.skipper[0] for p in (before, *between, after) if p.skipper is not None]
        wanted = {*own, *skippers, *after.shaped}
        columns = tuple(sorted(wanted | {c for w in wanted for c in self._controllers(w)}))

        def build(*values: Value) -> LayerSpec | None:
            at = dict(zip(columns, values, strict=True))
            if not all(self._runs(p, at) for p in (before, after)) or any(self._runs(p, at) for p in between):
                return None
            given, taken = (self.precisions[0] if c is None else str(at[c]) for c in (before.gene, after.gene))
            first = self.precisions[0]
            if given == taken or not (raises if taken == first else lowers):
                return None
            return _conversion(self._input_shape(after, at), taken)

        return Slot(f"{before.slot.name}_to_{after.slot.name}", columns, build)

    def _controllers(self, column: int) -> Sequence[int]:
        found = []
        while (controller := self.genes[column].controller) is not None:
            found.append(controller)
            column = controller
        return found

    def _runs(self, place: _Place, at: Mapping[int, Value]) -> bool:
        """Whether a slot runs; where its skipper has no effect itself, that holds its first choice."""
        if place.skipper is None:
            return True
        column, running = place.skipper
        choices = {c: self.space.lookup[c][at[c]] for c in (column, *self.space.conditions.controllers(column))}
        return choices[column] in running and self.space.conditions.holds(column, choices)

    def _input_shape(self, place: _Place, at: Mapping[int, Value]) -> Shape:
        layer = place.slot.build(*(at.get(c, self.space.genes[c].choices[0]) for c in place.slot.genes))
        assert layer is not None
        return layer.input_shape


def _computed(layer: LayerSpec | None, precision: str) -> LayerSpec | None:
    return None if layer is None else layer.in_precision(precision)


def _conversion(shape: Shape, precision: str) -> LayerSpec:
    ops = OpList(shape)
    ops.convert("convert", 0, precision)
    return ops.layer(f"convert-{'x'.join(map(str, shape))}").in_precision(precision)


def _matters(shapes: Mapping[tuple[int, ...], Shape], position: int) -> bool:
    """Whether two settings that differ in one gene alone have different shapes."""
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
            if all(running.values()):  # what it depends on decides it
                continue
            return column, frozenset(choice for choice, here in running.items() if here)
    rule = "more than one gene decides whether it runs"
    raise SpaceError(f"slot {slot.name} of {space.name}", rule, "search it in one precision")
