"""The margins by which subnets classify samples, measured on a few samples at a time. They decide races."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.executor import Done, Executor, Failed, Here
from hwnas.io import Journal
from hwnas.space import Population
from hwnas.supernet._base import Supernet
from hwnas.supernet._evaluate import calibrated
from hwnas.supernet._measured_accuracy import skipped
from hwnas.supernet.engine import Engine
from hwnas.task import SelectiveTask, calibration, margins, placed

_STORED = np.dtype("<f2")
"""Margins in a journal, without loss."""


@dataclass(frozen=True)
class Statistics:
    """A subnet's batch-norm statistics by name (none without batch norms), and the number of images they come from."""

    tensors: Mapping[str, NDArray[np.float32]]
    n_images: int


@dataclass(frozen=True)
class Share:
    """A subnet's ``(g,)`` row, the ``(s,)`` samples to show it, and its batch-norm statistics if they are known."""

    row: Population
    samples: NDArray[np.intp]
    statistics: Statistics | None = None


@dataclass(frozen=True)
class Answers:
    """``(s,)`` margins (:func:`hwnas.task.margins`), and the batch-norm statistics, which later shares need."""

    margins: NDArray[np.float16]
    statistics: Statistics


def answer(supernet: Supernet, data: SelectiveTask, engine: Engine, share: Share) -> Answers:
    """Show samples to a subnet. It is re-calibrated first unless its share has statistics.

    Raises:
        DataError: there are no images to re-calibrate with, or a sample cannot be read.
    """
    data = placed(data, engine.device)
    if share.statistics is None:
        subnet, n_images = calibrated(supernet, share.row, data, engine)
        tensors = {name: tensor.detach().cpu().numpy() for name, tensor in subnet.statistics().items()}
        statistics = Statistics(tensors, n_images)
    else:
        subnet, statistics = supernet.extract(share.row), share.statistics
        subnet.replace_statistics({name: torch.from_numpy(array) for name, array in statistics.tensors.items()})
    run = engine.runner(subnet, lambda: calibration(data, subnet.inputs))
    return Answers(margins(data, subnet.inputs, run, share.samples), statistics)


class MeasuredAnswers:
    """Margins of subnets. Each answer is journalled at once, so that a killed run repeats none.

    Args:
        supernet: the shared weights.
        data: the samples.
        journal: of this race alone; see :func:`accuracy_journal_identity`.
        engine: runs the subnets.
        executor: where they run; its work is :func:`answer` on a :class:`Share`. None runs them in this process. Neither
            margins nor journal depend on it.
        skip_failed: go on without subnets whose evaluation always fails, instead of stopping.

    Attributes:
        n_calibration: number of images that subnets were re-calibrated on.
        progress: called after each answer.
    """

    def __init__(
        self,
        supernet: Supernet,
        data: SelectiveTask,
        journal: Journal,
        engine: Engine,
        executor: Executor | None = None,
        *,
        skip_failed: bool = False,
    ) -> None:
        self.supernet, self.data, self.engine = supernet, data, engine
        self.executor = executor if executor is not None else Here(self._opened)
        self.skip_failed = skip_failed
        self.n_calibration = 0
        self.progress: Callable[[], None] = lambda: None
        self._journal = journal
        self._statistics: dict[bytes, Statistics] = {}
        self._known: dict[tuple[bytes, str], NDArray[np.float16] | None] = {}
        self._stopped: set[bytes] = set()
        for entry in journal.entries:
            key = supernet.space.encode(entry["arch"]).tobytes()
            if "expected" in entry:
                self._stopped.add(key)
                continue
            shown = entry["shown"]
            if "failed" not in entry:
                self._known[key, shown] = np.frombuffer(bytes.fromhex(entry["margins"]), _STORED).astype(np.float16)
                self.n_calibration = max(self.n_calibration, entry["n_calibration"])
            elif skip_failed:
                self._known[key, shown] = None

    def _opened(self, _threads: int | None, /) -> Callable[[Share], Answers]:
        return lambda share: answer(self.supernet, self.data, self.engine, share)

    @property
    def n_known(self) -> int:
        """Number of subnets that were shown samples, including those of the journal."""
        return len({key for key, _ in self._known})

    def __call__(self, rows: Population, samples: NDArray[np.intp], start: int) -> list[NDArray[np.float16] | None]:
        """Show samples to subnets.

        Args:
            rows: ``(k, g)``, canonical and distinct.
            samples: ``(k, s)`` positions of the samples for each subnet.
            start: number of samples that these subnets were shown before.

        Returns:
            ``(s,)`` margins for each row; None for a row that is skipped.

        Raises:
            SupernetError: the evaluation of a subnet always fails.
        """
        span = start, start + samples.shape[1]
        asked = [(row.tobytes(), _digest(positions)) for row, positions in zip(rows, samples, strict=True)]
        shares = [
            Share(row, positions, self._statistics.get(row.tobytes()))
            for row, positions, key in zip(rows, samples, asked, strict=True)
            if key not in self._known
        ]
        # Subnets of one resolution run together, so that decoded images are used again.
        shares.sort(key=lambda share: self.supernet.network(share.row)[0][1].input_shape)
        for share, outcome in zip(shares, self.executor.in_order(shares), strict=True):
            self._keep(share, span, outcome)
            self.progress()
        return [self._known[key] for key in asked]

    def stop(self, row: Population, value: float, std: float, n_images: int) -> None:
        """Journal that a subnet left the race, with its expected value and the standard deviation of that."""
        if row.tobytes() not in self._stopped:
            expected = {self.supernet.metric: value, "std": std, "n_images": n_images}
            self._journal.append({"arch": self.supernet.space.decode(row), "expected": expected})
            self._stopped.add(row.tobytes())

    def _keep(self, share: Share, span: tuple[int, int], outcome: Done | Failed) -> None:
        arch, key, shown = self.supernet.space.decode(share.row), share.row.tobytes(), _digest(share.samples)
        if isinstance(outcome, Done):
            found: Answers = outcome.value
            self._statistics[key] = found.statistics
            self.n_calibration = max(self.n_calibration, found.statistics.n_images)
            stored = found.margins.astype(_STORED).tobytes().hex()
            entry: dict[str, Any] = {"margins": stored, "n_calibration": found.statistics.n_images}
            known: NDArray[np.float16] | None = found.margins
        else:
            known, entry = None, skipped(arch, outcome, allowed=self.skip_failed)
        self._journal.append({"arch": arch, "samples": list(span), "shown": shown, **entry})
        self._known[key, shown] = known


def _digest(samples: NDArray[np.intp]) -> str:
    """Digest of positions of samples: which ones a subnet is shown depends on the race so far."""
    return hashlib.sha256(samples.astype("<i8").tobytes()).hexdigest()[:16]
