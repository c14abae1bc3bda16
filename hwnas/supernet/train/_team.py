"""The processes that train one supernet together (data parallel). Each takes its part of every batch.

All processes train the same subnets in a step, and batch norms use the statistics of the whole batch. Gradients are added up
once per step, after the backward pass of the last subnet, so they equal those of a single process up to rounding.
`DistributedDataParallel` cannot do that: it needs one module and one backward pass per step, and a step of the sandwich rule
has several subnets in shared weights.

The processes do not have a GPU each, so they communicate by gloo (https://docs.pytorch.org/docs/stable/distributed.html).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from hwnas.errors import DataError, SupernetError
from hwnas.supernet._calibration import Shared

PATIENCE = timedelta(hours=12)
"""How long processes wait for a busy one: the first evaluates after each epoch. A process that dies is noticed at once."""

_POLL_S = 0.02

MISSING = "training with others"
"""The subject of errors about a lost process."""


class PeerLostError(SupernetError):
    """Another process of the team was lost."""


@dataclass(frozen=True)
class Team:
    """A process's place in its team; by default it is alone.

    Attributes:
        rank: number of this process. The process 0 prints and writes.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    @property
    def statistics(self) -> Shared | None:
        """The mode in which batch norms use the whole batch; None for a single process, which has all of it."""
        return None if self.size == 1 else Shared(self._gathered)

    def part(self, n: int) -> slice:
        """This process's part of ``n`` samples.

        Raises:
            DataError: there are fewer samples than processes.
        """
        if n < self.size:
            raise DataError(f"a batch of {n}", f"{self.size} workers train on it", "lower --workers")
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def add(self, tensors: list[Tensor]) -> None:
        """Replace tensors by their sums over the team, in one message."""
        if self.size > 1:
            flat = torch.cat([t.reshape(-1) for t in tensors])
            _communicate(lambda: dist.all_reduce(flat))
            for tensor, total in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
                tensor.copy_(total.view_as(tensor))

    def follow(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by the first process's."""
        if self.size > 1:
            tensor = tensor.contiguous()
            _communicate(lambda: dist.broadcast(tensor, 0))
        return tensor

    def agree(self, what: str, value: object, remedy: str) -> None:
        """Check that all processes have the same value.

        Raises:
            SupernetError: they differ.
        """
        if self.size > 1:
            values: list[Any] = [None] * self.size
            _communicate(lambda: dist.all_gather_object(values, value))
            other = next((rank for rank, each in enumerate(values) if each != values[0]), None)
            if other is not None:
                raise SupernetError(what, f"worker {other} has another than worker 0", remedy)

    def _gathered(self, x: Tensor) -> Tensor:
        padded = x.new_zeros(self.size, *x.shape)
        padded[self.rank] = x
        gathered: Tensor = _Sum.apply(padded)  # type: ignore[no-untyped-call]
        return gathered


ALONE = Team()
"""The team of a single process."""


@contextmanager
def hosted() -> Iterator[Any]:
    """The store through which the processes of this machine meet; the others need its ``port``."""
    yield _store(0, leads=True)


@contextmanager
def joined(store: Any, rank: int, size: int, check: Callable[[], None] = lambda: None) -> Iterator[Team]:
    """Be part of a team on this machine within the block.

    Args:
        store: from `hosted`, or its port.
        rank, size: of this process and its team.
        check: called repeatedly while the first process waits for the others; raises if they will not come.

    Raises:
        PeerLostError: a process was lost.
    """
    if isinstance(store, int):
        store = _store(store, leads=False)
    store.set(f"here {rank}", "1")
    while rank == 0 and not store.check([f"here {other}" for other in range(size)]):
        check()
        time.sleep(_POLL_S)
    _communicate(lambda: dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE))
    try:
        yield Team(rank, size)
    finally:
        dist.destroy_process_group()


@contextmanager
def joined_by_torchrun() -> Iterator[Team]:
    """Be part of the team that torchrun started, on any number of machines, within the block."""
    _communicate(lambda: dist.init_process_group("gloo", timeout=PATIENCE))
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def under_torchrun() -> bool:
    """Whether torchrun started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


def _store(port: int, *, leads: bool) -> Any:
    return dist.TCPStore("127.0.0.1", port, is_master=leads, wait_for_workers=False)  # type: ignore[attr-defined]


class _Sum(torch.autograd.Function):
    """The sum over the team; its gradient is the sum of all processes' gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        total = x.clone()
        _communicate(lambda: dist.all_reduce(total))
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        total = gradients[0].contiguous().clone()
        _communicate(lambda: dist.all_reduce(total))
        return total


def _communicate(call: Callable[[], object]) -> None:
    """Call a function of ``torch.distributed``.

    Raises:
        PeerLostError: a process was lost.
    """
    try:
        call()
    except RuntimeError as error:
        rule = f"one of them is gone ({(str(error).splitlines() or [''])[0][:120]})"
        raise PeerLostError(MISSING, rule, "run the same command again, which resumes") from error
