"""Where work runs, as the options `--workers` and `--cluster` choose it."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.arguments import as_typed, is_whole
from hwnas.errors import DataError
from hwnas.executor._cluster import Cluster
from hwnas.executor._executor import Executor
from hwnas.executor._here import Here
from hwnas.executor._processes import Processes, check_crowd
from hwnas.executor._work import Opener


@dataclass(frozen=True)
class Where:
    """The place of evaluations; by default this process.

    Attributes:
        workers: number of processes of this machine, or of simultaneous tasks on a cluster.
        cluster: address of a Ray cluster: ``ray://HOST:10001``, ``HOST:6379``, ``auto``.

    Raises:
        DataError: there is less than one worker.
    """

    workers: int | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and not is_whole(self.workers, 1):
            raise DataError(f"workers {as_typed(self.workers)}", "at least 1 is needed", "raise it, or leave it out")

    @property
    def elsewhere(self) -> bool:
        """Whether evaluations run outside of this process."""
        return self.workers is not None or self.cluster is not None

    def open(self, opener: Opener) -> Executor:
        """The executor. Raises DataError: see `Cluster`, `Processes` and `check_crowd`."""
        if self.cluster is not None:
            return Cluster(self.cluster, opener, self.workers)
        if self.workers is not None:
            check_crowd(self.workers)
            return Processes(self.workers, opener)
        return Here(opener)


HERE = Where()
"""This process."""
