"""The processes that train one supernet together (data parallel): each takes its part of every batch.

All of them train the same subnets in a step, and their gradients are added up once per step, when the last subnet has
gone backwards: like `DistributedDataParallel`, which cannot be used here: it wants one module and one backward pass per
step, and a step of the sandwich rule has several subnets in shared weights. Batch norms see the statistics of the whole
batch. So gradients are those of a single process, up to rounding.

Without a GPU of its own for each, they talk by gloo (https://docs.pytorch.org/docs/stable/distributed.html).
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
from hwnas.task import Inputs

PATIENCE = timedelta(hours=12)
"""How long the others wait for one that is busy: the first evaluates after each epoch. One that dies is noticed at once."""

_POLL_S = 0.02


MISSING = "training with others"
"""What a process says that misses another one."""


class PeerLostError(SupernetError):
    """Another process of the team is gone."""


@dataclass(frozen=True)
class Team:
    """One process's view of its team; by default it is alone.

    Attributes:
        rank: number of this process; 0 prints and writes.
        size: processes in all.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    @property
    def statistics(self) -> Shared | None:
        """How batch norms see the whole batch; None for a single process, which has all of it."""
        return None if self.size == 1 else Shared(self._gathered)

    def part(self, n: int) -> slice:
        """Which of ``n`` samples are this process's.

        Raises:
            DataError: there is not one for each.
        """
        if n < self.size:
            raise DataError(f"a batch of {n}", f"{self.size} workers train on it", "lower --workers")
        return slice(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def add(self, tensors: list[Tensor]) -> None:
        """Replace tensors by their sums over the team, in one go."""
        if self.size > 1:
            flat = torch.cat([t.reshape(-1) for t in tensors])
            _spoken(lambda: dist.all_reduce(flat))
            for tensor, total in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
                tensor.copy_(total.view_as(tensor))

    def follow(self, tensor: Tensor) -> Tensor:
        """Replace a tensor by the first process's."""
        if self.size > 1:
            tensor = tensor.contiguous()
            _spoken(lambda: dist.broadcast(tensor, 0))
        return tensor

    def agree(self, what: str, value: object, remedy: str) -> None:
        """Check that all have the same.

        Raises:
            SupernetError: they differ.
        """
        if self.size > 1:
            values: list[Any] = [None] * self.size
            _spoken(lambda: dist.all_gather_object(values, value))
            other = next((rank for rank, each in enumerate(values) if each != values[0]), None)
            if other is not None:
                raise SupernetError(what, f"worker {other} has another than worker 0", remedy)

    def _gathered(self, x: Tensor) -> Tensor:
        places = x.new_zeros(self.size, *x.shape)
        places[self.rank] = x
        total: Tensor = _Sum.apply(places)  # type: ignore[no-untyped-call]
        return total


ALONE = Team()
"""One process."""


def part_of(inputs: Inputs, part: slice) -> Inputs:
    """Some samples of a batch."""
    return inputs[part] if isinstance(inputs, Tensor) else {name: tensor[part] for name, tensor in inputs.items()}


@contextmanager
def hosted() -> Iterator[Any]:
    """Where the processes of this machine meet; its ``port`` is what the others need to know."""
    yield _store(0, leads=True)


@contextmanager
def joined(store: Any, rank: int, size: int, check: Callable[[], None] = lambda: None) -> Iterator[Team]:
    """Join a team of this machine, for the block.

    Args:
        store: of `hosted`, or its port.
        rank, size: of this process and its team.
        check: called now and then while the first process waits for the others: raises if they will not come.

    Raises:
        PeerLostError: one was lost.
    """
    if isinstance(store, int):
        store = _store(store, leads=False)
    store.set(f"here {rank}", "1")
    while rank == 0 and not store.check([f"here {other}" for other in range(size)]):
        check()
        time.sleep(_POLL_S)
    _spoken(lambda: dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE))
    try:
        yield Team(rank, size)
    finally:
        dist.destroy_process_group()


@contextmanager
def joined_by_torchrun() -> Iterator[Team]:
    """Join the team that torchrun has started, on however many machines."""
    _spoken(lambda: dist.init_process_group("gloo", timeout=PATIENCE))
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
        _spoken(lambda: dist.all_reduce(total))
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        total = gradients[0].contiguous().clone()
        _spoken(lambda: dist.all_reduce(total))
        return total


def _spoken(speak: Callable[[], object]) -> None:
    """Talk to the team.

    Raises:
        PeerLostError: one was lost.
    """
    try:
        speak()
    except RuntimeError as error:
        reason = (str(error).splitlines() or [""])[0][:120]
        raise PeerLostError(
            MISSING, f"one of them is gone ({reason})", "run the same command again, which resumes"
        ) from error
