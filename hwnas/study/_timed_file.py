"""Time exported files; those of decoders at the lengths of their library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.progress import notice
from hwnas.study._decoding import Decoding
from hwnas.study._place import Place, find_place, off_speed
from hwnas.study._provenance import Provenance
from hwnas.study._run_conditions import RunConditions

if TYPE_CHECKING:
    from hwnas.space import Population, SearchSpace


@dataclass(frozen=True)
class Clock:
    """Where and how to time a file.

    Attributes:
        place: device and precision.
        space: space of the subnet.
        decoding: lengths of a decoder's runs; None for other networks.
    """

    place: Place
    space: SearchSpace
    decoding: Decoding | None

    @classmethod
    def of(cls, space: SearchSpace, provenance: Provenance, device: str, conditions: RunConditions) -> Clock:
        """The clock for a subnet of a front.

        Args:
            space: space of the subnet.
            provenance: of the front.
            device: a device of this machine.
            conditions: those asked for; by default those of the front.

        Raises:
            UnknownNameError, DeviceError: this machine has no such device.
        """
        decoding = Decoding.of(space, provenance)
        searched = provenance if decoding is None else decoding.completed(provenance)
        return cls(find_place(space, searched, device, conditions), space, decoding)

    def holds(self, path: Path, row: Population, budget_ms: float | None) -> bool:
        """Time a file and report it; returns whether it holds the budget, which for a decoder applies to writing.

        Args:
            path: the file.
            row: ``(g,)`` row of its subnet.
            budget_ms: latency budget; None if there is none.
        """
        from hwnas.graph import open_sizes
        from hwnas.space import network_inputs

        if self.decoding is None:
            return _holds(self.place, self.space, path, budget_ms)
        writing, reading = self.decoding.runs(self.space, row[None])
        held = True
        for runs, budget in ((writing, budget_ms), (reading, None)):
            sizes = open_sizes(network_inputs(runs.space.network(runs.x[0])))
            held &= _holds(self.place.beside(runs.table), runs.space, path, budget, sizes, f" {runs.what},")
        return held


def _holds(
    place: Place,
    space: SearchSpace,
    path: Path,
    budget_ms: float | None,
    sizes: Mapping[str, int] | None = None,
    what: str = "",
) -> bool:
    """Time a file with open ``sizes`` of its inputs and report it; returns whether it holds the budget."""
    from hwnas.latency import measure_file

    anchor = place.table.anchor(space) if place.table is not None else None
    found = measure_file(place.device, path, anchor=anchor, sizes=sizes)
    holds = budget_ms is None or found.median_ms <= budget_ms
    verdict = "" if budget_ms is None else f": {'holds' if holds else 'BREAKS'} the budget of {budget_ms:g} ms"
    notice(f"{path} takes {found.median_ms:.3g} ms (p95 {found.p95_ms:.3g} ms){what} on {place.label}{verdict}")
    if found.at_table_speed_ms is not None and found.speed_pct is not None and off_speed(found.speed_pct):
        at_speed = f"{found.at_table_speed_ms:.3g} ms at the speed of latency table {place.table and place.table.name}"
        notice(f"that is {at_speed}; this machine now runs at {found.speed_pct:.0f} % of it")
    return holds
