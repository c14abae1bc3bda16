"""The device and precision of training, and reproducible arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hwnas.errors import SupernetError, UnknownNameError

PRECISIONS = ("fp32", "bf16")
"""Precisions of arithmetic. ``bf16`` is used where autocast considers it safe; it has the range of fp32, so losses are not
scaled."""


def training_device(asked: str | None, processes: int) -> torch.device:
    """The requested device; by default a GPU if there is one and a single process trains.

    Args:
        asked: ``cpu``, ``cuda`` or ``cuda:N``.
        processes: number of processes that train together.

    Raises:
        UnknownNameError: torch knows no such device.
        SupernetError: this machine does not have it, or several processes would train on a GPU.
    """
    found = torch.cuda.is_available()
    if asked is None:
        return torch.device("cuda" if found and processes == 1 else "cpu")
    kind, _, number = asked.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise UnknownNameError("training device", asked, ("cpu", "cuda", "cuda:0"))
    if kind == "cpu":
        return torch.device("cpu")
    if not found or int(number or 0) >= torch.cuda.device_count():
        rule = f"torch finds {torch.cuda.device_count()} GPUs here"
        raise SupernetError(f"device {asked}", rule, "pass --device cpu, or install a torch that knows yours")
    if processes > 1:
        rule = f"{processes} processes train, which exchange gradients in the CPU's memory"
        raise SupernetError(f"device {asked}", rule, "train with one process, or on the CPU")
    return torch.device(asked)


def training_precision(asked: str | None, device: torch.device) -> str:
    """The requested precision; by default ``bf16`` on a GPU that supports it, else ``fp32``.

    Raises:
        UnknownNameError: there is no such precision.
    """
    if asked is None:
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    if asked not in PRECISIONS:
        raise UnknownNameError("precision of training", asked, PRECISIONS)
    return asked


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a CPU, use one thread and deterministic algorithms, so that sums are always taken in the same order."""
    if device.type != "cpu":
        yield
        return
    threads, algorithms = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic  # its stubs lack the setting
    filled = memory.fill_uninitialized_memory
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # else every new tensor is written twice
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(algorithms)
        memory.fill_uninitialized_memory = filled
