"""LatencyTable: the latency of each layer on a device, and how well sums of them predict whole subnets.

A table is a folder with ``table.csv`` (one row per layer and precision) and ``device.json`` (the device, and for each precision
and space how its rows were made and validated).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hwnas.errors import SpaceError, TableError
from hwnas.files import replacing, together
from hwnas.graph import PRECISIONS, precision_parts
from hwnas.latency.device._device import Device
from hwnas.latency.table._command import profile_command
from hwnas.latency.table._device_file import DEVICE, Facts, read_device, write_device
from hwnas.latency.table._interval import LATER
from hwnas.latency.table._layer_rows import LayerRows
from hwnas.latency.table._rows import Row, RowId, context_of, read_rows, write_rows
from hwnas.latency.table._runs import runs_of
from hwnas.space import AdditiveCost, LayerSpec, Network, SearchSpace
from hwnas.wording import first_few

TABLE = "table.csv"


@dataclass(frozen=True)
class Anchor:
    """The network that others are compared with, and its time in ms at the table's speed."""

    network: Network
    median_ms: float | None = None


@dataclass(frozen=True)
class LatencyTable:
    """Latencies of layers on one device, in one or several precisions.

    Attributes:
        device: the conditions of all measurements.
        rows: by precision, layer key and context. The context is empty; or ``r=224`` for a row that holds only at that
            resolution, because the files of a published table disagree on shared layers; or ``mixed`` or ``converted``.
        profiles: facts by precision and `runs_of` a space: ``fingerprint``, ``method``, ``anchor``, ``validation``, ``date`` ...
        precision: of the table's answers; see `at`. In ``fp32+int8`` each layer has its own precision, conversions are layers
            too, and a layer that was never timed in a mixed network uses its row from a network of one precision.
        path: the folder that it was read from or written to.
    """

    device: Device
    rows: Mapping[RowId, Row]
    profiles: Mapping[str, Mapping[str, Facts]] = field(default_factory=dict)
    precision: str = "fp32"
    path: Path | None = None

    @classmethod
    def of(
        cls, device: Device, rows: Iterable[Row], spaces: Mapping[str, Facts] | None = None, precision: str = "fp32"
    ) -> LatencyTable:
        """A table of one precision.

        Args:
            device: the conditions.
            rows: their precision is set to ``precision``, unless that is mixed.
            spaces: facts about the rows of each space.
            precision: one of `hwnas.graph.PRECISIONS`, or several as `hwnas.graph.parse_precision` gives them.
        """
        mixed = len(precision_parts(precision)) > 1
        own = [row if mixed else replace(row, precision=precision) for row in rows]
        return cls(device, {row.id: row for row in own}, {precision: spaces} if spaces else {}, precision)

    # --- files ------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | os.PathLike[str], precision: str | None = None) -> LatencyTable:
        """Read a table's folder.

        Args:
            path: the folder.
            precision: of its answers; by default fp32, or else the first precision that it has.

        Raises:
            TableError: a file is missing, unreadable or truncated, has another schema version, or impossible values.
        """
        folder = Path(path)
        file = read_device(folder / DEVICE)
        rows = read_rows(folder / TABLE, file.only)
        if len(rows) != file.rows:
            raise TableError(
                f"{folder / TABLE}",
                f"it holds {len(rows)} rows, {DEVICE} says {file.rows}: one of them is cut short or edited",
                "profile again: hwnas profile",
            )
        table = cls(file.device, rows, file.profiles, path=folder)
        usual = [p for p in PRECISIONS if p in table.precisions] or [*table.precisions, "fp32"]
        return table.at(precision or usual[0])

    def save(self, path: str | os.PathLike[str]) -> LatencyTable:
        """Write the folder; returns the table with its path.

        Raises:
            DataError: the folder cannot be written.
        """
        folder = Path(path)
        with together():
            with replacing(folder / TABLE) as part:
                write_rows(part, self.rows.values())
            with replacing(folder / DEVICE) as part:
                write_device(part, self.device, self.profiles, len(self.rows))
        return replace(self, path=folder)

    def joined(self, newer: LatencyTable) -> LatencyTable:
        """This table with the rows and spaces of a newer table, in the newer table's `precision`, added or replaced.

        Raises:
            TableError: the tables were made under different conditions.
        """
        differences = self.device.differences(newer.device)
        if differences:
            rule = f"it was made under other conditions ({'; '.join(differences)})"
            raise TableError(f"latency table {self.name}", rule, "write to another folder with --out")
        mine = self.at(newer.precision)
        rows = {row.id: row for row in newer.own_rows}
        spaces = {**mine.spaces, **newer.spaces}
        profiles = {**self.profiles, newer.precision: spaces} if spaces else self.profiles
        return replace(mine, rows={**self.rows, **rows}, profiles=profiles)

    def with_facts(self, space: SearchSpace, facts: Facts) -> LatencyTable:
        """The table with other facts about the rows of a space, in its `precision`."""
        spaces = {**self.spaces, runs_of(space): facts}
        return replace(self, profiles={**self.profiles, self.precision: spaces})

    # --- use --------------------------------------------------------------------------------

    def at(self, precision: str) -> LatencyTable:
        """The same table with answers of another precision, which it may have no rows of."""
        return replace(self, precision=precision)

    @property
    def is_mixed(self) -> bool:
        """Whether its answers are for networks whose layers have different precisions."""
        return len(precision_parts(self.precision)) > 1

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions that it has rows of, with ``fp32+int8`` if layers were timed in mixed networks."""
        alone = tuple(dict.fromkeys(row.precision for row in self.rows.values() if not row.is_mixed))
        mixed = {row.precision for row in self.rows.values() if row.is_mixed}
        return (*alone, "+".join(p for p in PRECISIONS if p in mixed)) if mixed else alone

    @property
    def own_rows(self) -> list[Row]:
        """Rows of its `precision`."""
        if self.is_mixed:
            return [row for row in self.rows.values() if row.is_mixed]
        return [row for row in self.rows.values() if row.precision == self.precision and not row.is_mixed]

    @property
    def spaces(self) -> Mapping[str, Facts]:
        """Facts about the rows of each space, in its `precision`."""
        return self.profiles.get(self.precision, {})

    def timed(self, layer: LayerSpec) -> bool:
        """Whether the layer was timed in a network of the table's `precision`; rows of other networks do not count."""
        return (layer.precision or self.precision, layer.bare_key, context_of(layer)) in self.rows

    def cost(self, space: SearchSpace) -> AdditiveCost:
        """Latency in ms of the subnets of ``space``'s domain.

        Raises:
            TableError: layers have no row: names the first, their number, and the command that measures them.
        """
        factors, missing = self._rows_of(space).factors()
        if missing:
            raise self._missing(space, missing)
        return AdditiveCost(space, factors)

    def covered(self, space: SearchSpace) -> SearchSpace:
        """``space`` restricted to the resolutions at which every layer has a row.

        Raises:
            TableError: there is none.
        """
        if len(space.input_genes) == 1:
            (column,) = space.input_genes
            gene, domain, lacking = space.genes[column], space.domain[column], self._rows_of(space).lacking(column)
            kept = [gene.choices[i] for i in domain.tolist() if i not in lacking]
            if 0 < len(kept) < len(domain):
                space = space.restrict(**{gene.name: kept})
        self.cost(space)
        return space

    def anchor(self, space: SearchSpace) -> Anchor | None:
        """The network that the rows of ``space`` are relative to, with its time; None for an imported table."""
        if runs_of(space) not in self.spaces and space.base is not None:
            return self.anchor(space.base)
        facts = self.about(space).get("anchor")
        if not isinstance(facts, dict):
            return None
        try:
            row = space.whole.encode(facts["arch"])
            milliseconds = float(facts["median_ms"])
        except (KeyError, TypeError, ValueError, SpaceError) as error:
            raise TableError(f"table {self.name}", f"its anchor is damaged ({error})", "profile again") from error
        return Anchor(space.network(row), milliseconds)

    @property
    def name(self) -> str:
        """Name of the table in messages."""
        if self.path is None:
            return self.label
        return str(self.path) if self.precision == "fp32" else f"{self.path} ({self.precision})"

    @property
    def label(self) -> str:
        """Its device, and its precision unless that is fp32."""
        return self.device.label(self.precision)

    @property
    def digest(self) -> str:
        """SHA-256 of the rows, for a table without a file."""
        return hashlib.sha256(repr(list(self.rows.values())).encode()).hexdigest()

    def about(self, space: SearchSpace) -> Mapping[str, Any]:
        """Facts about the rows of ``space``, or of the space that it is derived from; empty if unknown."""
        if runs_of(space) not in self.spaces and space.base is not None:
            return self.about(space.base)
        return self.spaces.get(runs_of(space), {})

    def estimated(self, space: SearchSpace) -> list[str]:
        """Keys of the layers of ``space`` that have no row of their own but an estimate."""
        return self._rows_of(space).estimated()

    def validation(self, space: SearchSpace) -> Mapping[str, Any] | None:
        """Errors of predictions on the whole subnets of the profile; see `fidelity`."""
        found = self.about(space).get("validation")
        return found if isinstance(found, dict) else None

    def plus_minus(self, space: SearchSpace) -> float | None:
        """Half the width of a prediction's interval, relative to the prediction, with ``LATER`` added; None if unknown."""
        found = self.about(space).get("interval")
        width = found.get("plus_minus_pct") if isinstance(found, dict) else None
        return float(width) / 100 + LATER if isinstance(width, int | float) else None

    def layer_rows(self, space: SearchSpace) -> dict[str, Row]:
        """The row of every layer of the domain by the layer's key, including estimates, in the domain's first context.

        Raises:
            TableError: layers have no row.
        """
        self.cost(space)
        return self._rows_of(space).by_layer()

    def _rows_of(self, space: SearchSpace) -> LayerRows:
        return LayerRows(self.rows, self.precision, space)

    def _missing(self, space: SearchSpace, keys: list[str]) -> TableError:
        total = len(space.layers())
        rule = f"it has no row for {first_few(keys, 1)} of the {total} layers of {space.name}"
        rule += f" in {self.precision}" if {*self.precisions, self.precision} != {"fp32"} else ""
        if self.device.provider:
            remedy = f"fill them: {profile_command(self.device, space, self.precision)}"
        else:
            remedy = "keep to what it covers with --fix, or import a table that has them"
        return TableError(f"latency table {self.name}", rule, remedy)
