"""LatencyTable: what each layer costs on a device, and how far that can be trusted.

A folder with ``table.csv`` (one row per layer) and ``device.json`` (the device; per space how the rows
came about and how well their sums agree with whole subnets). Plain pandas and jq read both.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.errors import SpaceError, TableError
from hwnas.files import replacing, together
from hwnas.latency.device._device import Device
from hwnas.latency.table._interval import LATER
from hwnas.latency.table._rows import Row, read_rows, write_rows
from hwnas.latency.table._stand_in import stand_in
from hwnas.space import AdditiveCost, Factor, LayerSpec, Network, SearchSpace, Slot

SCHEMA = 1
TABLE, DEVICE = "table.csv", "device.json"


@dataclass(frozen=True)
class Anchor:
    """The network others are compared with, and its time in ms at the speed a table's rows are of."""

    network: Network
    median_ms: float | None = None


@dataclass(frozen=True)
class LatencyTable:
    """Latencies of layers on one device.

    Attributes:
        device: the conditions; numbers under others do not belong here.
        rows: by layer key and context. The context is empty, or ``r=224`` for a row that holds only there:
            published tables have one file per resolution, which disagree on the layers they share.
        spaces: per space name its ``fingerprint``, ``method``, ``anchor``, ``validation``, ``date`` ...
        path: the folder it was read from or written to.
    """

    device: Device
    rows: Mapping[tuple[str, str], Row]
    spaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    path: Path | None = None

    # --- files ------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LatencyTable:
        """Read a table's folder.

        Raises:
            TableError: missing, unreadable, of another schema version, truncated, or with values that cannot be.
        """
        folder = Path(path)
        data = _read_json(folder / DEVICE)
        if data.get("schema") != SCHEMA:
            raise TableError(
                f"{folder / DEVICE}",
                f"its schema is {data.get('schema')!r}, this version of hwnas reads {SCHEMA}",
                "profile again: hwnas profile",
            )
        spaces = data.get("spaces")
        if not isinstance(spaces, dict) or not all(isinstance(s, dict) for s in spaces.values()):
            raise TableError(f"{folder / DEVICE}", "it does not describe its spaces", "profile again: hwnas profile")
        try:
            device = Device.from_json(data.get("device") or {})
        except TableError as error:
            raise TableError(f"{folder / DEVICE}, {error.value}", error.rule, error.remedy) from error
        rows = read_rows(folder / TABLE)
        if len(rows) != data.get("rows"):
            raise TableError(
                f"{folder / TABLE}",
                f"it holds {len(rows)} rows, {DEVICE} says {data.get('rows')}: one of them is cut short or edited",
                "profile again: hwnas profile",
            )
        return cls(device, rows, spaces, folder)

    def save(self, path: str | os.PathLike[str]) -> LatencyTable:
        """Write the folder; returns the table that knows its path.

        Raises:
            DataError: the folder cannot be written.
        """
        folder = Path(path)
        data = {
            "schema": SCHEMA,
            "id": self.device.id,
            "device": self.device.to_json(),
            "rows": len(self.rows),
            "spaces": dict(self.spaces),
        }
        with together():
            with replacing(folder / TABLE) as part:
                write_rows(part, self.rows)
            with replacing(folder / DEVICE) as part:
                part.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        return replace(self, path=folder)

    def joined(self, newer: LatencyTable) -> LatencyTable:
        """This table with the rows and spaces of a newer one of the same device added, or replaced.

        Raises:
            TableError: made under other conditions.
        """
        differences = self.device.differences(newer.device)
        if differences:
            rule = f"it was made under other conditions ({'; '.join(differences)})"
            raise TableError(f"latency table {self.name}", rule, "write to another folder with --out")
        return replace(self, rows={**self.rows, **newer.rows}, spaces={**self.spaces, **newer.spaces})

    # --- use --------------------------------------------------------------------------------

    def cost(self, space: SearchSpace) -> AdditiveCost:
        """Latency in ms of the subnets of ``space``'s domain.

        Raises:
            TableError: layers without a row; names the first, how many, and the command that fills them.
        """
        missing: dict[str, None] = {}
        factors = []
        for slot in space.slots:
            table = np.full([len(space.genes[c].choices) for c in slot.genes], np.nan)
            for setting, layer in space.slot_layers(slot):
                row = self._row(space, slot, setting, layer)
                if layer is not None and row is None:
                    missing.setdefault(layer.key)
                table[setting] = row.median_ms if row is not None else 0.0
            factors.append(Factor(slot.genes, table))
        if missing:
            raise self._missing(space, list(missing))
        return AdditiveCost(space, factors)

    def covered(self, space: SearchSpace) -> SearchSpace:
        """``space`` restricted to the resolutions for which every layer has a row.

        Raises:
            TableError: there is none.
        """
        columns = space.input_genes
        if len(columns) != 1:
            self.cost(space)
            return space
        gene = columns[0]
        lacking: set[int] = set()
        for slot in space.slots:
            if gene not in slot.genes:
                continue
            position = slot.genes.index(gene)
            for setting, layer in space.slot_layers(slot):
                if setting[position] not in lacking and self._lacks(space, slot, setting, layer):
                    lacking.add(setting[position])
        kept = [space.genes[gene].choices[i] for i in space.domain[gene].tolist() if i not in lacking]
        if not kept:
            self.cost(space)
            raise AssertionError
        restricted = space if len(kept) == len(space.domain[gene]) else space.restrict(**{space.genes[gene].name: kept})
        self.cost(restricted)
        return restricted

    def anchor(self, space: SearchSpace) -> Anchor | None:
        """The network the rows of ``space`` are relative to, with its time at the table's speed; None if imported."""
        if space.name not in self.spaces and space.base is not None:
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
        """Its folder; the device's id while it is in no file."""
        return str(self.path) if self.path is not None else self.device.id

    @property
    def digest(self) -> str:
        """SHA-256 of the rows, for a table that is in no file."""
        return hashlib.sha256(repr(list(self.rows.values())).encode()).hexdigest()

    def about(self, space: SearchSpace) -> Mapping[str, Any]:
        """How the rows of ``space`` came about, or of the space that it is derived from; empty if unknown."""
        if space.name not in self.spaces and space.base is not None:
            return self.about(space.base)
        return self.spaces.get(space.name, {})

    def estimated(self, space: SearchSpace) -> list[str]:
        """Keys of the layers of ``space`` that have a stand-in (:func:`stand_in`) and no row of their own."""
        found: dict[str, None] = {}
        for slot in space.slots if space.base is not None else ():
            for setting, layer in space.slot_layers(slot):
                if layer is not None and self._own(space, slot, setting, layer) is None:
                    found.setdefault(layer.key)
        return list(found)

    def validation(self, space: SearchSpace) -> Mapping[str, Any] | None:
        """Errors of predictions against whole subnets measured beside the rows; see `fidelity`."""
        found = self.about(space).get("validation")
        return found if isinstance(found, dict) else None

    def plus_minus(self, space: SearchSpace) -> float | None:
        """Half the width of a prediction's interval, relative to it; None where no subnets of ``space`` told it.

        What the subnets told when the table was made, and ``LATER``.
        """
        found = self.about(space).get("interval")
        width = found.get("plus_minus_pct") if isinstance(found, dict) else None
        return float(width) / 100 + LATER if isinstance(width, int | float) else None

    def layer_rows(self, space: SearchSpace) -> dict[str, Row]:
        """The row of every layer of the domain by the layer's key, stand-ins included; of the domain's first context.

        Raises:
            TableError: layers without a row.
        """
        self.cost(space)
        found: dict[str, Row] = {}
        for slot in space.slots:
            for setting, layer in space.slot_layers(slot):
                row = self._row(space, slot, setting, layer)
                if layer is not None and row is not None:
                    found.setdefault(layer.key, replace(row, key=layer.key, context=""))
        return found

    def _row(self, space: SearchSpace, slot: Slot, setting: tuple[int, ...], layer: LayerSpec | None) -> Row | None:
        """The row of a layer, which a setting of a slot's genes gives; a stand-in where only the head is another."""
        if layer is None:
            return None
        own = self._own(space, slot, setting, layer)
        if own is not None or space.base is None:
            return own
        original = space.base.slots[space.slots.index(slot)]
        twin = original.build(*(space.genes[c].choices[i] for c, i in zip(slot.genes, setting, strict=True)))
        row = self._row(space.base, original, setting, twin)
        return None if row is None or twin is None else stand_in(row, twin, layer)

    def _own(self, space: SearchSpace, slot: Slot, setting: tuple[int, ...], layer: LayerSpec) -> Row | None:
        contexts = _contexts(space, slot, setting)
        return next((self.rows[layer.key, c] for c in (*contexts, "") if (layer.key, c) in self.rows), None)

    def _lacks(self, space: SearchSpace, slot: Slot, setting: tuple[int, ...], layer: LayerSpec | None) -> bool:
        return layer is not None and self._row(space, slot, setting, layer) is None

    def _missing(self, space: SearchSpace, keys: list[str]) -> TableError:
        total = len(space.layers())
        rule = f"it has no row for {keys[0]}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
        rule += f" of the {total} layers of {space.name}"
        if self.device.provider:
            remedy = f"fill them: {profile_command(self.device, space.name)}{fixed_resolutions(space)}"
        else:
            remedy = "keep to what it covers with --fix, or import a table that has them"
        return TableError(f"latency table {self.name}", rule, remedy)


def _contexts(space: SearchSpace, slot: Slot, setting: tuple[int, ...]) -> list[str]:
    """``["r=224", ...]``: the contexts a row may be bound to, for a setting of a slot's genes."""
    return [
        f"{gene.name}={gene.choices[choice]}"
        for gene, choice in zip((space.genes[c] for c in slot.genes), setting, strict=True)
        if gene.position is None
    ]


def profile_command(device: Device, space: str) -> str:
    """The command that profiles a space on a device."""
    conditions = f"--device {device.name} --threads {device.threads} --batch {device.batch}"
    if device.precision != "fp32":
        conditions += f" --precision {device.precision}"
    return f"hwnas profile {conditions} --space {space}"


def fixed_resolutions(space: SearchSpace) -> str:
    """The ``--fix`` that states the resolutions of the domain, if it is restricted."""
    return "".join(
        f" --fix {name}={','.join(map(str, values))}"
        for name, values in space.input_values.items()
        if len(values) < len(space.whole.input_values[name])
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TableError(f"{path.parent}", f"it has no {path.name}", "name the folder of a latency table") from None
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(f"{path}", f"it cannot be read ({error})", "profile again: hwnas profile") from error
    if not isinstance(data, dict):
        raise TableError(f"{path}", "it holds no JSON object", "profile again: hwnas profile")
    return data
