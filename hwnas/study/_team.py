"""The processes that train together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnas.errors import DataError, SupernetError
from hwnas.executor import Failed, Outcome, Processes, Refused, Where, check_crowd
from hwnas.progress import Logged, listening
from hwnas.study._training import Training

if TYPE_CHECKING:
    from hwnas.supernet import Team

_GRACE_S = 10.0
"""Seconds that workers have to report why they ended, after one is lost."""


@contextmanager
def teamed(training: Training, workers: int | None) -> Iterator[Team]:
    """The team that trains: this process and ``workers - 1`` others of this machine, or the processes of torchrun.

    The others open the same training and take part; they end with the block, or with this process. Under torchrun only the
    first process writes to the terminal.

    Raises:
        DataError: there is less than one worker, or a number of workers is given under torchrun, which has its own.
        SupernetError: another process died, or could not open the training.
    """
    from hwnas.supernet.train import ALONE, PeerLostError, hosted, joined, joined_by_torchrun, under_torchrun

    size = Where(workers).workers or 1
    if under_torchrun():
        if workers is not None:
            raise DataError(f"workers {workers}", "torchrun sets the number of processes", "drop it")
        with joined_by_torchrun() as team, nullcontext() if team.leads else listening(Logged()):
            yield team
    elif size == 1:
        yield ALONE
    else:
        check_crowd(size)
        with hosted() as store, Processes(size - 1, _Member(training, store.port, size)) as others:
            for rank in range(1, size):
                others.start(rank, rank)

            def check() -> None:
                if ended := others.wait(0.0):
                    raise _why(size, ended)

            try:
                with joined(store, 0, size, check) as team:
                    yield team
            except PeerLostError as error:
                raise _why(size, others.wait(_GRACE_S)) from error


@dataclass(frozen=True)
class _Member:
    """Opened by the other workers, whose only item is their rank."""

    training: Training
    port: int
    size: int

    def __call__(self, _threads: int | None, /) -> Callable[[int], None]:
        return self._train

    def _train(self, rank: int) -> None:
        from hwnas.supernet.train import joined

        with joined(self.port, rank, self.size) as team:
            self.training.trainer(team).run()


def _why(size: int, ended: list[tuple[int, Outcome]]) -> Exception:
    """The error of a broken team: that of the first worker that did not just lose another one."""
    from hwnas.supernet.train import MISSING

    for _, outcome in ended:
        if isinstance(outcome, Refused):
            return outcome.error
    reasons = [outcome.reason for _, outcome in ended if isinstance(outcome, Failed)]
    reason = next((reason for reason in reasons if not reason.startswith(MISSING)), "a worker is gone")
    return SupernetError(f"workers {size}", reason, "run the same command again, which resumes")
