"""Named values."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from hwnas.space.ops import Read, Write
from hwnas.supernet.ops._run import Pass, run


@run.register
def _read(op: Read, x: Sequence[Tensor], at: Pass) -> Tensor:
    return at.values[op.value]


@run.register
def _write(op: Write, x: Sequence[Tensor], at: Pass) -> Tensor:
    at.values[op.value] = x[0]
    return x[0]
