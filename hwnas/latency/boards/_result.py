"""Reading results of bundles, with every check of what a board may have got wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, HwnasError
from hwnas.latency.boards._board import COLUMNS
from hwnas.latency.boards._bundle import FORMAT
from hwnas.latency.boards._raw import ANEW, AS_WRITTEN, Values, read_header, read_raw_rows, read_values
from hwnas.latency.device._device import Device, check_precision
from hwnas.latency.device._hardware import from_facts
from hwnas.latency.profiling._layer_times import NetworkTimes, network_times
from hwnas.latency.profiling._methods import ISOLATED
from hwnas.latency.profiling._subnets import Plan, Subnets
from hwnas.latency.timing._block import times_of
from hwnas.latency.timing._runtime import NodeTimes
from hwnas.latency.timing._samples import Samples
from hwnas.space import Network, SearchSpace, get_space

BOUNDS_NS = (1e3, 600e9)
"""Shortest and longest possible run."""

DRIFT = 2.0
"""Largest ratio of the anchor's times between blocks: beyond it, the device throttled or did other work."""

NODES = (0.2, 5.0)
"""Bounds of the sum of a network's node times, as multiples of its time."""

ADDED_MS = 0.05
"""Time that the profiler may add to each node, which is most of the time of a tiny network."""


@dataclass(frozen=True)
class BoardResult:
    """A checked result.

    Attributes:
        path: of the CSV.
        space: its domain was profiled.
        device: the board.
        precision: of the networks.
        plan: how much was measured.
        subnets: the measured subnets.
        anchor: ``(g,)`` row of the anchor.
        times: by stage, name and session.
        seconds: duration of the measurement.
    """

    path: Path
    space: SearchSpace
    device: Device
    precision: str
    plan: Plan
    subnets: Subnets
    anchor: NDArray[np.int16]
    times: Mapping[tuple[str, str, int], NetworkTimes]
    seconds: float


def is_board_result(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like the result of a bundle."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return file.readline(200).strip() == ",".join(COLUMNS)
    except OSError:
        return False


def read_board(path: str | os.PathLike[str], space: SearchSpace | None = None) -> BoardResult:
    """Read and check a result.

    Args:
        path: the CSV that run.py wrote.
        space: its probable space; needed if that is not a registered one.

    Raises:
        DataError: the file is no result, is cut short, mixes plans or devices, has missing, duplicate or impossible rows, or the
            board's speed changed too much.
    """
    path = Path(path)
    rows = read_raw_rows(path)
    contents, facts = read_header(path, rows)
    if contents.get("format") != FORMAT:
        rule = f"its bundle has format {contents.get('format')!r}, this version of hwnas reads {FORMAT}"
        raise DataError(f"result {path}", rule, "make the bundle again")
    try:
        space, plan, subnets, anchor, networks = _planned(contents, space)
        blocks = [_Block(**block) for block in contents["blocks"]]
        device = _device(contents["device"], facts)
        # Bundles of earlier versions have the precision with the device.
        precision = str(contents["precision"] if "precision" in contents else contents["device"]["precision"])
        check_precision(device, precision)
    except HwnasError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        rule = f"its plan cannot be read ({type(error).__name__}: {error})"
        raise DataError(f"result {path}", rule, "make the bundle again with this version of hwnas") from error
    values = read_values(path, rows)
    times: dict[tuple[str, str, int], NetworkTimes] = {}
    seconds = 0.0
    for number, block in enumerate(blocks):
        of_block = _BlockRows(path, number, values)
        for (short, session), result in zip(block.networks, of_block.times(block, networks), strict=True):
            times[block.stage, contents["networks"][short]["name"], session] = result
        seconds += of_block.number_of("seconds")
    if values:
        number, network, what = next(iter(values))
        rule = f"it has rows {what} of network {network!r} in block {number}, which are not of its plan"
        raise DataError(f"result {path}", rule, AS_WRITTEN)
    _refuse_drift(path, [t.anchor_ms for t in times.values()])
    return BoardResult(path, space, device, precision, plan, subnets, anchor, times, seconds)


@dataclass(frozen=True)
class _Block:
    stage: str
    layers: bool
    networks: list[tuple[str, int]]


def _planned(
    contents: Mapping[str, Any], known: SearchSpace | None
) -> tuple[SearchSpace, Plan, Subnets, NDArray[np.int16], dict[str, Network]]:
    """Space, plan, subnets, the anchor's row, and networks by short name."""
    about = contents["space"]
    options = about.get("options")  # the command-line options that open the space, if it is not registered
    if known is not None and known.name == about["name"]:
        whole = known.whole
    elif options is not None:
        raise DataError("the plan", f"its space {about['name']} is not a registered one", f"pass {options}")
    else:
        whole = get_space(about["name"])
    if whole.fingerprint != about["fingerprint"]:
        rule = f"space {whole.name} differs from the one the bundle was made for"
        anew = "make the bundle again with this version of hwnas"
        raise DataError("the plan", rule, f"pass {options}, or {anew}" if options is not None else anew)
    space = whole.with_domain(about["domain"])
    subnets = Subnets(**{name: np.array(rows, dtype=np.int16) for name, rows in contents["subnets"].items()})
    layers: dict[str, Network] = {key: [("layer", layer)] for key, layer in space.layers().items()}
    isolated = {short for b in contents["blocks"] if b["stage"] == ISOLATED for short, _ in b["networks"]}
    networks = {
        short: layers[facts["name"]]
        if short in isolated
        else space.network(np.array(json.loads(facts["name"]), dtype=np.int16))
        for short, facts in contents["networks"].items()
    }
    anchor: NDArray[np.int16] = np.array(contents["anchor"]["row"], dtype=np.int16)
    return space, Plan(**contents["settings"]), subnets, anchor, networks


def _device(planned: Mapping[str, Any], facts: Mapping[str, Any]) -> Device:
    """The board: the conditions of the plan, and the hardware that the board reported."""
    return Device(
        name=planned["name"],
        provider=planned["provider"],
        options=planned["options"],
        threads=planned["threads"],
        batch=planned["batch"],
        spinning=planned["spinning"],
        pages=facts.get("pages", "usual"),
        hardware=from_facts(facts["hardware"]),
        runtime=facts["runtime"],
    )


@dataclass(frozen=True)
class _BlockRows:
    """The rows of one block. They are removed from ``values`` as they are read, so that what is left belongs to no plan."""

    path: Path
    number: int
    values: Values

    def times(self, block: _Block, networks: Mapping[str, Network]) -> list[NetworkTimes]:
        """The times of the block's networks."""
        names = [short for short, _ in block.networks]
        rounds = self.number_of("rounds")
        found: dict[str, list[NDArray[np.int64]]] = {"run": [], "anchor": []}
        for short in names:
            for what, arrays in found.items():
                ns, waited = (self._taken(short, f"{what}_{part}")[0][1] for part in ("ns", "waited_ns"))
                visits = int(rounds) * (2 if what == "anchor" else 1)
                if not visits or rounds % 1 or len(ns) != len(waited) or len(ns) % visits:
                    rule = f"{what} of network {short} in block {self.number} has {len(ns)} times in {rounds:g} rounds"
                    raise DataError(f"result {self.path}", rule, AS_WRITTEN)
                if not BOUNDS_NS[0] <= min(ns) <= max(ns) <= BOUNDS_NS[1]:
                    rule = f"network {short} in block {self.number} took {min(ns):g} to {max(ns):g} ns, which cannot be"
                    raise DataError(f"result {self.path}", rule, ANEW)
                shape = (int(rounds), 2, -1, 2) if what == "anchor" else (int(rounds), -1, 2)
                arrays.append(np.array([ns, waited], dtype=np.int64).T.reshape(shape))
        samples = Samples(found["run"], found["anchor"])
        times = times_of(samples, self._nodes(names, samples) if block.layers else None)
        return [network_times(networks[short], each) for short, each in zip(names, times, strict=True)]

    def number_of(self, what: str) -> float:
        """A number that the block has once."""
        return self._taken("", what)[0][1][0]

    def _nodes(self, names: Sequence[str], samples: Samples) -> list[list[NodeTimes]]:
        """The node times of each network, run by run."""
        found = []
        for short, median_ms in zip(names, samples.medians_ms(), strict=True):
            mine = self._taken(short, "node_us")
            total_ms = sum(float(np.median(times)) for _, times in mine) / 1e3
            if not NODES[0] * median_ms <= total_ms <= NODES[1] * median_ms + ADDED_MS * len(mine):
                took = f"add up to {total_ms:.3g} ms, it took {median_ms:.3g} ms"
                rule = f"nodes of network {short} in block {self.number} {took}"
                raise DataError(f"result {self.path}", rule, ANEW)
            found.append([[(name, times[i]) for name, times in mine] for i in range(len(mine[0][1]))])
        return found

    def _taken(self, short: str, what: str) -> list[tuple[str, list[float]]]:
        """Remove and return the rows of one kind of a network, in order."""
        found = self.values.pop((self.number, short, what), {})
        if sorted(found) != list(range(max(1, len(found)))) or len({len(times) for _, times in found.values()}) > 1:
            rule = f"rows {what} of network {short} in block {self.number} are missing or incomplete"
            raise DataError(f"result {self.path}", rule, AS_WRITTEN)
        return [found[index] for index in range(len(found))]


def _refuse_drift(path: Path, anchors_ms: Sequence[float]) -> None:
    low, high = float(np.quantile(anchors_ms, 0.05)), float(np.quantile(anchors_ms, 0.95))
    if high > DRIFT * low:
        rule = f"the same network took {low:.3g} to {high:.3g} ms, a drift beyond a factor of {DRIFT:g}"
        raise DataError(f"result {path}", rule, f"let the board idle and cool; {ANEW}")
