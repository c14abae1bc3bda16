"""Other load on a machine while networks are timed: whether it is quiet enough to trust the times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NOISY_PCT = 5.0
"""If repeated measurements differ by more percent than this, they are not trusted. On an idle machine they differ by 1 to 2."""

BUSY_PCT = 20.0
"""If more percent of the runs than this waited for a core, the other runs are not trusted either: another process has emptied
their caches. On an idle machine 0 to 5 % wait."""


@dataclass(frozen=True)
class Load:
    """Other load on a machine while networks were timed.

    Attributes:
        waited_pct: share of runs that waited for a core, because another process held it.
        repeat_pct: difference between the two halves of a network's sessions; None if every network had one session.
        low_pct, high_pct: 10th and 90th percentile of the machine's speed, relative to its median.
    """

    waited_pct: float = 0.0
    repeat_pct: float | None = None
    low_pct: float = 100.0
    high_pct: float = 100.0

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Load:
        """From the facts of a space in a table's ``device.json``, which earlier versions left incomplete."""
        return cls(facts.get("waited_pct") or 0.0, facts.get("repeat_pct"))

    @property
    def busy(self) -> bool:
        """Whether the load was too high to trust the times."""
        return self.waited_pct > BUSY_PCT or (self.repeat_pct or 0.0) > NOISY_PCT

    @property
    def words(self) -> str:
        """The evidence, for people."""
        found = [f"{self.waited_pct:.0f} % of runs waited for a core (up to {BUSY_PCT:g} % is usual)"]
        if self.repeat_pct is not None:
            found.append(f"a network timed twice differs by {self.repeat_pct:.1f} % (up to {NOISY_PCT:g} %)")
        if (self.low_pct, self.high_pct) != (100.0, 100.0):
            found.append(f"its speed went from {self.low_pct:.0f} to {self.high_pct:.0f} % of its middle")
        return ", ".join(found)


STEADY_PCT = 2.5
"""Repeated measurements that differ by less percent than this are enough: an error of 5 % stands out from them."""


def repeat_pct(ratios: Mapping[tuple[str, str, int], float]) -> float | None:
    """Difference between the two halves of a network's sessions, in percent: the median over networks, in the worst stage.

    Args:
        ratios: times as multiples of the anchor's, by stage, name and session.

    Returns:
        None if no network was measured twice.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (stage, name, _), ratio in sorted(ratios.items()):
        found[stage][name].append(ratio)
    stages = [
        float(np.median([_halves_apart(sessions) for sessions in networks.values() if len(sessions) > 1]))
        for networks in found.values()
        if any(len(sessions) > 1 for sessions in networks.values())
    ]
    return 100 * max(stages) if stages else None


def _halves_apart(sessions: Sequence[float]) -> float:
    one, other = np.mean(sessions[::2]), np.mean(sessions[1::2])
    return float(max(one, other) / min(one, other) - 1)
