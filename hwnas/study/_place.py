"""Where subnets are measured: a device of this machine, a precision, and the table whose anchor shows the speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError, DeviceError, UnknownNameError
from hwnas.progress import notice, progress
from hwnas.study._provenance import Provenance
from hwnas.study._run_conditions import ANY, RunConditions
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.latency import Device, LatencyTable, Load, MeasuredSubnets
    from hwnas.space import Population, SearchSpace

SLOWER = 1.1
"""Factor by which a machine's speed may differ from its table's before the user is told."""


@dataclass(frozen=True)
class Place:
    """Where subnets are measured.

    Attributes:
        device: the device.
        precision: precision of the networks.
        table: the table whose anchor network shows the machine's speed; None if there is none.
    """

    device: Device
    precision: str
    table: LatencyTable | None

    @property
    def label(self) -> str:
        """Device and precision, in words."""
        return self.device.label(self.precision)

    def is_of(self, facts: Mapping[str, Any]) -> bool:
        """Whether a table's facts are of this device, in the same conditions and precision."""
        from hwnas.latency import Device

        conditions = facts.get("conditions")
        if not conditions or Device.from_json(conditions).differences(self.device):
            return False
        return bool(facts.get("precision", "fp32") == self.precision)

    def beside(self, facts: Mapping[str, Any]) -> Place:
        """The place with the table that facts describe; without one if they are of another place."""
        return replace(self, table=described_table(self.device, facts) if self.is_of(facts) else None)

    def measure(self, space: SearchSpace, x: Population, journal: Path, *, seed: int = 0) -> MeasuredSubnets:
        """Measure ``(n, g)`` rows, with a progress bar. The caller deletes the journal once the results are safe."""
        from hwnas.latency import measure_subnets

        anchor = self.table.anchor(space) if self.table is not None else None
        with progress(f"measuring {count_of(len(x), 'subnet')}") as advance:
            found = measure_subnets(
                self.device, space, x, journal, precision=self.precision, anchor=anchor, seed=seed, progress=advance
            )
        if found.speed.pct is not None and off_speed(found.speed.pct):
            notice(
                f"this machine runs at {found.speed.pct:.0f} % of the speed of its latency table: measured times are by "
                "the clock, now; latency_at_table_speed_ms converts them to the table's speed"
            )
        if found.load.busy:
            notice(f"this machine is busy, so measured times include the effect of other work: {found.load.words}")
        elif found.speed.wanders:
            span = f"{found.speed.low_pct:.0f} to {found.speed.high_pct:.0f} %"
            notice(f"this machine's speed varied meanwhile, from {span} of its median; so do the times by the clock")
        if found.elsewhere:
            notice(f"{self.label}: {elsewhere_words(found.elsewhere)}")
        return found


def off_speed(pct: float) -> bool:
    """Whether a speed, in percent of the table's, differs enough to be mentioned."""
    return not 100 / SLOWER < pct < 100 * SLOWER


def elsewhere_words(operators: Mapping[str, int]) -> str:
    """The operators that a provider left to the CPU, in words."""
    listed = ", ".join(f"{n} {name}" for name, n in operators.items())
    n = count_of(sum(operators.values()), "node")
    return f"{n} of a subnet ran on the CPU because the provider cannot run them: {listed}"


def refuse_busy(load: Load, what: str) -> None:
    """Refuse to trust measurements of a busy machine. Call it once they are saved and shown.

    Raises:
        DeviceError: the machine was too busy.
    """
    if load.busy:
        rule = "this machine was too busy for reliable times"
        raise DeviceError(what, rule, "stop what else runs here, then measure again")


def searched_conditions(provenance: Provenance, name: str) -> dict[str, Any]:
    """Threads, batch, spinning and precision of a search for a device of this name; the usual ones if it was for another."""
    usual = {"threads": 1, "batch": 1, "spinning": "stop", "precision": "fp32"}
    searched = provenance.device or {}
    conditions = searched.get("conditions") or {}
    if conditions.get("name") != name:
        return usual
    found = {**conditions, "precision": searched.get("precision")}
    return {key: found.get(key) or value for key, value in usual.items()}


def find_place(
    space: SearchSpace,
    provenance: Provenance,
    device: str | None,
    conditions: RunConditions = ANY,
) -> Place:
    """The place to measure in: as asked for, otherwise as in the provenance of a front.

    Args:
        space: space of the subnets.
        provenance: the provenance.
        device: the device asked for; None for that of the provenance.
        conditions: those asked for; by default those of the provenance.

    Raises:
        UnknownNameError, DeviceError: this machine has no such device.
        DataError: the precision is not one that the subnets can have.
    """
    from hwnas.graph import parse_precision
    from hwnas.latency import PROVIDERS, check_precision, find_table_for, get_device, is_provider

    searched = provenance.device or {}
    made = searched.get("conditions") or {}
    name = device or (made.get("name") if made.get("provider") else None) or "cpu"
    if not is_provider(name):
        elsewhere = "measure on another machine: hwnas measure PARETO.csv --device ssh://user@host"
        raise UnknownNameError("device", name, PROVIDERS, elsewhere)
    usual = searched_conditions(provenance, name)
    threads, batch = conditions.threads or usual["threads"], conditions.batch or usual["batch"]
    here = get_device(name, threads=threads, batch=batch, spinning=usual["spinning"])
    asked = parse_precision(conditions.precision) if conditions.precision else None
    computed = _computed(space, asked, usual["precision"])
    check_precision(here, computed)
    place = Place(here, computed, None)
    return (
        place.beside(searched) if place.is_of(searched) else replace(place, table=find_table_for(here, space, computed))
    )


def _computed(space: SearchSpace, asked: str | None, usual: str) -> str:
    """The precision asked for, or the usual one; layers with their own precisions keep them.

    Raises:
        DataError: one precision is asked for where layers have their own, or the other way round.
    """
    own = "+".join(space.precisions)
    if asked is not None and ("+" in asked or own) and asked != own:
        has = f"have their own, {own.replace('+', ' or ')}" if own else "have none of their own"
        rule = f"layers of {space.name} {has}"
        raise DataError(f"precision {asked.replace('+', ',')}", rule, "drop --precision, or search with it")
    return own or asked or usual


def described_table(device: Device, facts: Mapping[str, Any]) -> LatencyTable | None:
    """The table of a search as its provenance describes it: it has no rows, but its anchor shows the speed.

    The nearest table of the device would not do: it may be of another speed, and the search's table may never have been
    in a file.
    """
    from hwnas.latency import LatencyTable

    if not isinstance(facts.get("anchor"), Mapping):
        return None  # an imported table, or a front of an earlier version
    path = Path(str(facts["path"])) if facts.get("path") else None
    table = LatencyTable.of(
        device, [], {str(facts.get("space")): {"anchor": facts["anchor"]}}, facts.get("precision", "fp32")
    )
    return replace(table, path=path)


def warn_foreign(place: Place, provenance: Provenance) -> None:
    """Notify the user if the predictions in a CSV are for another device than the measured one."""
    from hwnas.latency import Device

    searched = provenance.device or {}
    if searched.get("conditions") and not place.is_of(searched):
        predicted = Device.from_json(searched["conditions"]).label(searched.get("precision", "fp32"))
        notice(f"latency_ms is predicted for {predicted}, but measured on {place.label}: the error compares the two")


def require_here(table: LatencyTable, device: str) -> Device:
    """The device of a table, if this machine has it.

    Raises:
        DeviceError: it does not, so nothing can be measured here.
    """
    from hwnas.latency import get_device, is_provider

    made = table.device
    if not is_provider(made.name) or not made.provider:
        rule = "its table is of another machine, where --verify cannot measure"
        raise DeviceError(f"device {device}", rule, "drop --verify")
    here = get_device(made.name, threads=made.threads, batch=made.batch, spinning=made.spinning)
    differences = made.differences(here)
    if differences:
        rule = f"its table is of another machine ({differences[0]})"
        raise DeviceError(f"device {device}", rule, "drop --verify, or run it there")
    return here
