"""Settings of an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwnas.errors import DataError
from hwnas.study._run_conditions import ANY, RunConditions

OPSETS = range(14, 22)
"""ONNX operator sets that can be written."""


@dataclass(frozen=True)
class ExportSettings:
    """How to export a subnet.

    Attributes:
        supernet: a reference.
        checkpoint: its weights; None for those that ship or were downloaded.
        random_weights: use random weights, for latency checks only; the file says so.
        data: folder of data to re-calibrate batch norms and measure with.
        images: number of images to measure accuracy on; without a folder, any number measures on all that the supernet
            brings. None measures nothing.
        calibrate, batch_size, seed: settings of the calibration.
        agreement_pct: least share of images on which int8 and fp16 must agree with fp32.
        opset: ONNX operator set.
        device: where to time the file; None for nowhere.
        conditions: precision of the file, and threads and batch of its timing; by default those of the search.
        budget_ms: latency budget of a timed file; None for the search's.
        columns: names of the columns ``text``, ``pair`` and ``label`` in tables of texts, if they differ from those in training.
    """

    supernet: str
    checkpoint: Path | None = None
    random_weights: bool = False
    data: Path | None = None
    images: int | None = None
    calibrate: int = 2000
    batch_size: int = 100
    seed: int = 0
    agreement_pct: float | None = None
    opset: int = 17
    device: str | None = None
    conditions: RunConditions = ANY
    budget_ms: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            DataError: there are some; the message names the first.
        """
        if self.random_weights and self.checkpoint is not None:
            raise DataError("random weights", "there is a checkpoint too", "drop one of them")
        if self.random_weights and self.images is not None:
            rule = "random weights have no accuracy"
            raise DataError(f"images {self.images}", rule, "drop --images, or --random-weights")
        timed = {"budget": self.budget_ms, "threads": self.conditions.threads, "batch": self.conditions.batch}
        for what, value in timed.items():
            if value is not None and self.device is None:
                raise DataError(f"{what} {value:g}", "nothing is measured without a device", "pass --device cpu")
        if self.agreement_pct is not None and 0 < self.agreement_pct < 1:
            rule = "it is a share of images in percent, and this looks like a fraction"
            raise DataError(f"agreement {self.agreement_pct:g}", rule, f"write {100 * self.agreement_pct:g}")
        if self.opset not in OPSETS:
            raise DataError(f"opset {self.opset!r}", f"it is {OPSETS[0]} to {OPSETS[-1]}", "leave it out for 17")
