"""How a subnet is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.errors import DataError
from hwnas.quantity import check_whole

OPSETS = range(14, 22)
"""ONNX operator sets that are written."""


@dataclass(frozen=True)
class ExportSettings:
    """How to export.

    Attributes:
        supernet: a reference.
        checkpoint: its weights; None for those that ship or were downloaded.
        random_weights: random weights instead: for latency checks only; the file says so.
        data: images to re-calibrate batch norms with.
        images: how many to measure accuracy on, or all that the supernet brings where there is no folder; None for none.
        calibrate, batch_size, seed: of the calibration.
        precision: None for the one that was searched for.
        agreement_pct: share of images that int8 and fp16 must decide as fp32 does.
        opset: of ONNX.
        device, threads, batch: where to time the file; None for nowhere.
        budget_ms: of latency, for a file that is measured; None for the search's.
        columns: names of ``text``, ``pair`` and ``label`` in tables of texts where they differ from those that were
            trained on.
    """

    supernet: str
    checkpoint: Path | None = None
    random_weights: bool = False
    data: Path | None = None
    images: int | None = None
    calibrate: int = 2000
    batch_size: int = 100
    seed: int = 0
    precision: str | None = None
    agreement_pct: float | None = None
    opset: int = 17
    device: str | None = None
    threads: int | None = None
    batch: int | None = None
    budget_ms: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            DataError: names the first.
        """
        if self.random_weights and self.checkpoint is not None:
            raise DataError("random weights", "there is a checkpoint too", "drop one of them")
        if self.random_weights and self.images is not None:
            raise DataError(
                f"images {self.images}", "random weights have no accuracy", "drop --images, or --random-weights"
            )
        for what, count in (("threads", self.threads), ("batch", self.batch)):
            if count is not None:
                check_whole(what, count, 1)
        for what, value in (("budget", self.budget_ms), ("threads", self.threads), ("batch", self.batch)):
            if value is not None and self.device is None:
                raise DataError(f"{what} {value:g}", "nothing is measured without a device", "pass --device cpu")
        if self.opset not in OPSETS:
            raise DataError(f"opset {self.opset!r}", f"it is {OPSETS[0]} to {OPSETS[-1]}", "leave it out for 17")
