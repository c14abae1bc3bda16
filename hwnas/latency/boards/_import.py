"""Tables and latencies from a board's result, made by the same code as on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.errors import TableError
from hwnas.latency.boards._result import BoardResult
from hwnas.latency.profiling._layer_times import NetworkTimes, median_network_times
from hwnas.latency.profiling._make_table import AnchorRow, existing_table, make_table
from hwnas.latency.profiling._whole import MeasuredSubnets, subnet_latencies
from hwnas.latency.table._runs import runs_of
from hwnas.latency.table._table import LatencyTable
from hwnas.space import Network


def import_board(result: BoardResult, folder: str | os.PathLike[str]) -> LatencyTable:
    """Write the table of a board to ``folder``; existing rows of other resolutions, spaces or precisions stay.

    Raises:
        TableError: the folder holds a table of another device, or rows of the space that are relative to another anchor.
        DeviceError: the runtime's profile does not show the times of single layers.
    """
    before = existing_table(Path(folder), result.device, result.precision)
    anchor = AnchorRow(result.anchor)
    if runs_of(result.space) in before.spaces:
        known = before.anchor(result.space)
        keys = [layer.key for _, layer in result.space.network(result.anchor)]
        if known is not None and [layer.key for _, layer in known.network] == keys:
            anchor = AnchorRow(result.anchor, known.median_ms)
        else:
            rule = f"its rows of {result.space.name} are relative to another network than those of {result.path}"
            raise TableError(f"latency table {before.name}", rule, "write to another folder with --out or --device")
    seconds = {"seconds": round(result.seconds, 1)}
    timer, subnets = RecordedTimer(result), result.subnets
    table = make_table(timer, result.space, result.plan, subnets, before, anchor, lambda: seconds)
    return table.save(folder)


def measured_on_board(result: BoardResult) -> MeasuredSubnets:
    """Latencies of the rows that `write_bundle` got, in their order."""
    return subnet_latencies(result.times, result.subnets.validation)


@dataclass
class RecordedTimer:
    """A `Timer` that replays a board's measurements."""

    result: BoardResult
    steps: int = 0
    times: dict[tuple[str, str, int], NetworkTimes] = field(default_factory=dict)

    def measure(
        self,
        stage: str,
        networks: Mapping[str, Network],
        *,
        layers: bool = False,  # noqa: ARG002
        sessions: int | None = None,
    ) -> dict[str, NetworkTimes]:
        """The recorded times; arguments as ``Timer.measure``."""
        found = {}
        for name in networks:
            each = [(stage, name, k) for k in range(sessions or self.result.plan.sessions)]
            self.times |= {which: self.result.times[which] for which in each}
            found[name] = median_network_times([self.times[which] for which in each])
        return found
