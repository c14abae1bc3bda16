"""Where subnets are measured: a device of this machine, in a precision, beside the anchor of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, DeviceError, UnknownNameError
from hwnas.progress import notice, progress
from hwnas.quantity import count_of

if TYPE_CHECKING:
    from hwnas.latency import Device, LatencyTable, Load, MeasuredSubnets
    from hwnas.space import Population, SearchSpace

SLOWER = 1.1
"""Factor by which a machine may differ from its table before the user is told."""


@dataclass(frozen=True)
class Place:
    """Where and in what precision subnets are measured, and the table whose anchor tells the speed, if there is one."""

    device: Device
    precision: str
    table: LatencyTable | None

    @property
    def label(self) -> str:
        """Its device and precision, in words."""
        return self.device.label(self.precision)

    def beside(self, facts: Mapping[str, Any]) -> Place:
        """The same, beside the anchor of the table that facts tell of, if it is of these conditions and this precision."""
        from hwnas.latency import Device

        conditions = facts.get("conditions")
        alike = conditions and not Device.from_json(conditions).differences(self.device)
        alike = alike and facts.get("precision", "fp32") == self.precision
        return replace(self, table=told_table(self.device, facts) if alike else None)

    def measure(self, space: SearchSpace, x: Population, journal: Path, *, seed: int = 0) -> MeasuredSubnets:
        """Measure with a progress bar; the journal is deleted by the caller, once the results are safe."""
        from hwnas.latency import measure_subnets

        anchor = self.table.anchor(space) if self.table is not None else None
        with progress(f"measuring {count_of(len(x), 'subnet')}") as advance:
            found = measure_subnets(
                self.device, space, x, journal, precision=self.precision, anchor=anchor, seed=seed, progress=advance
            )
        if found.speed.pct is not None and off_speed(found.speed.pct):
            notice(
                f"this machine runs at {found.speed.pct:.0f} % of the speed of its latency table: what is measured is by "
                "the clock, now; latency_at_table_speed_ms is what it would be at the table's speed"
            )
        if found.load.busy:
            notice(f"this machine is busy, so what is measured tells of what else runs too: {found.load.words}")
        elif found.speed.wanders:
            span = f"{found.speed.low_pct:.0f} to {found.speed.high_pct:.0f} %"
            notice(f"this machine's speed wandered meanwhile: {span} of its middle; so do the times by the clock")
        if found.elsewhere:
            notice(f"{self.label}: {elsewhere_words(found.elsewhere)}")
        return found


def off_speed(pct: float) -> bool:
    """Whether a speed is far enough from the table's to be mentioned."""
    return not 100 / SLOWER < pct < 100 * SLOWER


def elsewhere_words(operators: Mapping[str, int]) -> str:
    """What a provider left to the CPU: ``12 nodes ran on the CPU: 9 HardSigmoid, 3 Resize``."""
    listed = ", ".join(f"{n} {name}" for name, n in operators.items())
    return f"{count_of(sum(operators.values()), 'node')} of a subnet ran on the CPU, which the provider cannot run: {listed}"


def refuse_busy(load: Load, what: str) -> None:
    """Say that measurements are not to be trusted, once they are kept, and after the evidence.

    Raises:
        DeviceError: the machine did too much else.
    """
    if load.busy:
        rule = "this machine was too busy for it to be trusted"
        raise DeviceError(what, rule, "stop what else runs here, then measure again")


def find_place(
    space: SearchSpace,
    facts: Mapping[str, Any],
    device: str | None,
    *,
    threads: int | None,
    batch: int | None,
    precision: str | None,
) -> Place:
    """The device and precision to measure in: as asked for, or else as the provenance of a front says.

    Raises:
        UnknownNameError, DeviceError: not a device of this machine.
    """
    from hwnas.graph import parse_precision
    from hwnas.latency import PROVIDERS, Device, check_precision, find_table_for, get_device

    searched = facts.get("device") or {}
    conditions = searched.get("conditions") or {}
    name = device or (conditions.get("name") if conditions.get("provider") else None) or "cpu"
    if name.partition(":")[0] not in PROVIDERS:
        elsewhere = "measure on another machine: hwnas measure PARETO.csv --device ssh://user@host"
        raise UnknownNameError("device", name, PROVIDERS, elsewhere)
    same = conditions.get("name") == name
    usual = {key: conditions.get(key) or 1 if same else 1 for key in ("threads", "batch")}
    spinning = conditions.get("spinning", "stop") if same else "stop"
    here = get_device(name, threads=threads or usual["threads"], batch=batch or usual["batch"], spinning=spinning)
    was = searched.get("precision", "fp32")
    computed = _computed(space, parse_precision(precision) if precision else None, was if same else "fp32")
    check_precision(here, computed)
    if conditions and computed == was and not Device.from_json(conditions).differences(here):
        return Place(here, computed, told_table(here, searched))
    return Place(here, computed, find_table_for(here, space, computed))


def _computed(space: SearchSpace, asked: str | None, usual: str) -> str:
    """The precision that is asked for, or the usual one; layers that have precisions of their own compute in those.

    Raises:
        DataError: the other is asked for.
    """
    own = "+".join(space.precisions)
    if asked is not None and ("+" in asked or own) and asked != own:
        has = f"have their own, {own.replace('+', ' or ')}" if own else "have none of their own"
        rule = f"layers of {space.name} {has}"
        raise DataError(f"precision {asked.replace('+', ',')}", rule, "drop --precision, or search with it")
    return own or asked or usual


def told_table(device: Device, facts: Mapping[str, Any]) -> LatencyTable | None:
    """The table that a front was searched with, as its provenance describes it: without rows, but its anchor tells the
    speed.

    Not the nearest table of the device: it may be of another speed, and the front's may never have been in a file.
    """
    from hwnas.latency import LatencyTable

    if not isinstance(facts.get("anchor"), Mapping):
        return None  # one that was imported, or a front of an earlier version
    path = Path(str(facts["path"])) if facts.get("path") else None
    table = LatencyTable.of(
        device, [], {str(facts.get("space")): {"anchor": facts["anchor"]}}, facts.get("precision", "fp32")
    )
    return replace(table, path=path)


def say_foreign(place: Place, facts: Mapping[str, Any]) -> None:
    """Tell if the predictions in a CSV are of another device than the one that is measured."""
    from hwnas.latency import Device

    searched = facts.get("device") or {}
    if not searched.get("conditions"):
        return
    made, precision = Device.from_json(searched["conditions"]), searched.get("precision", "fp32")
    if made.differences(place.device) or precision != place.precision:
        predicted = made.label(precision)
        notice(f"latency_ms is predicted for {predicted}, measured is {place.label}: the error is between the two")


def require_here(table: LatencyTable, device: str) -> Device:
    """The device of a table, if it is one of this machine.

    Raises:
        DeviceError: it is not, so nothing can be measured here.
    """
    from hwnas.latency import PROVIDERS, get_device

    made = table.device
    if made.name.partition(":")[0] not in PROVIDERS or not made.provider:
        raise DeviceError(
            f"device {device}", "its table is of another machine, where --verify cannot measure", "drop --verify"
        )
    here = get_device(made.name, threads=made.threads, batch=made.batch, spinning=made.spinning)
    differences = made.differences(here)
    if differences:
        raise DeviceError(
            f"device {device}",
            f"its table is of another machine ({differences[0]})",
            "drop --verify, or run it there",
        )
    return here
