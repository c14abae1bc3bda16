"""Which rows of a table give the layers of a space their times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hwnas.latency.table._rows import Row, RowId, context_of
from hwnas.latency.table._stand_in import stand_in
from hwnas.space import Factor, LayerSpec, SearchSpace, Slot

Setting = tuple[int, ...]
"""Choices of a slot's genes."""


@dataclass(frozen=True)
class LayerRows:
    """The rows of a space's layers.

    A row may be bound to a resolution, or hold only in networks of several precisions. If no row is bound to the layer's
    conditions, the one without a context is taken. A layer without a row gets an estimate if the space is derived from one whose
    layer differs only in the number of classes, and was measured.

    Attributes:
        rows: those of a table, by precision, layer key and context.
        precision: of layers that have none of their own.
        space: the layers of its domain are looked up.
    """

    rows: Mapping[RowId, Row]
    precision: str
    space: SearchSpace

    def factors(self) -> tuple[list[Factor], list[str]]:
        """The latency in ms of each slot's settings, and the keys of layers without a row, in network order."""
        missing: dict[str, None] = {}
        factors = []
        for slot in self.space.slots:
            times_ms = np.full([len(self.space.genes[c].choices) for c in slot.genes], np.nan)
            for setting, layer in self.space.slot_layers(slot):
                row = self._row(slot, setting, layer) if layer is not None else None
                if layer is not None and row is None:
                    missing.setdefault(layer.key)
                times_ms[setting] = row.median_ms if row is not None else 0.0
            factors.append(Factor(slot.genes, times_ms))
        return factors, list(missing)

    def lacking(self, gene: int) -> set[int]:
        """Choices of a gene at which a layer has no row."""
        return {
            setting[slot.genes.index(gene)]
            for slot, setting, layer in self._layers()
            if gene in slot.genes and self._row(slot, setting, layer) is None
        }

    def estimated(self) -> list[str]:
        """Keys of layers that have no row of their own but an estimate."""
        if self.space.base is None:
            return []
        layers = self._layers()
        return [*dict.fromkeys(layer.key for slot, at, layer in layers if self._own(slot, at, layer) is None)]

    def by_layer(self) -> dict[str, Row]:
        """The row of every layer by the layer's key, including estimates, in the domain's first context."""
        found: dict[str, Row] = {}
        for slot, setting, layer in self._layers():
            row = self._row(slot, setting, layer)
            if row is not None:
                found.setdefault(layer.key, replace(row, key=layer.bare_key, context=context_of(layer)))
        return found

    def _layers(self) -> Iterator[tuple[Slot, Setting, LayerSpec]]:
        for slot in self.space.slots:
            for setting, layer in self.space.slot_layers(slot):
                if layer is not None:
                    yield slot, setting, layer

    def _row(self, slot: Slot, setting: Setting, layer: LayerSpec) -> Row | None:
        """The row of the layer at a setting of a slot's genes, estimated if only the number of classes differs."""
        own = self._own(slot, setting, layer)
        if own is not None or self.space.base is None:
            return own
        original = self.space.base.slots[self.space.slots.index(slot)]
        twin = original.build(*(self.space.genes[c].choices[i] for c, i in zip(slot.genes, setting, strict=True)))
        if twin is None:
            return None
        row = replace(self, space=self.space.base)._row(original, setting, twin)
        return None if row is None else stand_in(row, twin, layer)

    def _own(self, slot: Slot, setting: Setting, layer: LayerSpec) -> Row | None:
        """The row that was measured, in the first of the contexts that hold at the setting."""
        precision = layer.precision or self.precision
        contexts = [context_of(layer)] if layer.precision else []
        for column, choice in zip(slot.genes, setting, strict=True):
            gene = self.space.genes[column]
            if gene.position is None:  # a row may be bound to its value: r=224
                contexts.append(f"{gene.name}={gene.choices[choice]}")
        found = (self.rows.get((precision, layer.bare_key, context)) for context in (*contexts, ""))
        return next((row for row in found if row is not None), None)
