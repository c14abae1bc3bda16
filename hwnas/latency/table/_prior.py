"""A latency table as a prior for times that were measured elsewhere, or later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.latency.device._device import Device
from hwnas.latency.table._adapt import Adapted, adapted
from hwnas.latency.table._fidelity import fidelity
from hwnas.latency.table._interval import interval
from hwnas.latency.table._table import LatencyTable
from hwnas.space import Population, SearchSpace


def adapted_table(
    table: LatencyTable,
    device: Device,
    space: SearchSpace,
    x: Population,
    measured_ms: NDArray[np.float64],
    *,
    anchor: Mapping[str, Any] | None = None,
) -> tuple[LatencyTable, Adapted]:
    """A table of ``device``, from that of another one, or of another day, and whole subnets measured here.

    Its validation and interval are of the measured subnets, each predicted from all others.

    Args:
        table: the prior.
        device: what was measured on.
        space: the table covers its domain.
        x: ``(n, g)`` measured rows.
        measured_ms: ``(n,)`` their times.
        anchor: ``arch`` and ``median_ms`` of the network that ran beside them; it tells the speed from now on.
    """
    layers = space.layers()
    before = table.layer_rows(space)
    times = {key: row.median_ms for key, row in before.items()}
    found = adapted(times, [space.network(row) for row in x], measured_ms, layers)
    rows = []
    for key, factor in found.factors.items():
        row = before[key]
        low, high = row.p10_ms * factor, row.p90_ms * factor
        rows.append(replace(row, median_ms=row.median_ms * factor, p10_ms=low, p90_ms=high))
    about = {
        "fingerprint": space.whole.fingerprint,
        "resolutions": [value for values in space.input_values.values() for value in values],
        "method": "adapted",
        "prior": table.name,
        "subnets": len(x),
        "speed": found.speed,
        **({"anchor": dict(anchor)} if anchor is not None else {}),
        "validation": fidelity(found.left_out_ms, measured_ms),
        "interval": interval(found.left_out_ms, measured_ms),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return LatencyTable.of(device, rows, {space.name: about}, table.precision), found
