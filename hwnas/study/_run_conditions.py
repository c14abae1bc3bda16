"""The conditions that a user asks for, in which a device runs networks."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.arguments import check_whole


@dataclass(frozen=True)
class RunConditions:
    """Conditions of the runs on a device. None leaves a condition to the latency table or the front that is used.

    Attributes:
        threads: threads that run one network.
        batch: samples per run.
        precision: precision of the networks.
    """

    threads: int | None = None
    batch: int | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        """Refuse numbers below 1; numpy's numbers become Python's, which tables store.

        Raises:
            DataError: threads or batch is no whole number, or too small.
        """
        for what, count in (("threads", self.threads), ("batch", self.batch)):
            if count is not None:
                check_whole(what, count, 1)
                object.__setattr__(self, what, int(count))


ANY = RunConditions()
"""No condition is asked for."""
