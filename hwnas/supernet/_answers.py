"""By which margins subnets classify samples, a share of the samples at a time: what a race is decided by."""

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
from hwnas.supernet._evaluate import calibrated, skipped
from hwnas.supernet.engine import Engine
from hwnas.task import SelectiveTask, margins, placed

_STORED = np.dtype("<f2")
"""Of margins in a journal: all of each."""


@dataclass(frozen=True)
class Statistics:
    """A subnet's batch-norm statistics by name, and the number of images they come from; empty without batch norms."""

    tensors: Mapping[str, NDArray[np.float32]]
    n_images: int


@dataclass(frozen=True)
class Share:
    """A ``(g,)`` row, ``(s,)`` samples to show it, and its batch norms' statistics if they are gathered already."""

    row: Population
    samples: NDArray[np.intp]
    statistics: Statistics | None = None


@dataclass(frozen=True)
class Answers:
    """``(s,)`` margins, see :func:`hwnas.task.margins`; and the statistics that further shares need."""

    margins: NDArray[np.float16]
    statistics: Statistics


def answer(supernet: Supernet, data: SelectiveTask, engine: Engine, share: Share) -> Answers:
    """Show samples to a subnet, re-calibrated first unless it comes with statistics.

    Raises:
        SupernetError: there is nothing to re-calibrate with.
        DataError: a sample cannot be read.
    """
    data = placed(data, engine.device)
    if share.statistics is None:
        subnet, n_images = calibrated(supernet, share.row, data, engine)
        tensors = {name: tensor.detach().cpu().numpy() for name, tensor in subnet.statistics().items()}
        statistics = Statistics(tensors, n_images)
    else:
        subnet, statistics = supernet.extract(share.row), share.statistics
        for name, buffer in subnet.statistics().items():
            buffer.copy_(torch.from_numpy(statistics.tensors[name]))
    run = engine.runner(subnet, lambda: data.calibration(subnet.inputs))
    return Answers(margins(data, subnet.inputs, run, share.samples), statistics)


class MeasuredAnswers:
    """Answers of subnets, each journalled as soon as it is known, so that a killed run repeats none.

    Args:
        supernet: with its weights.
        data: samples.
        journal: for this race alone; see :func:`accuracy_journal_identity`.
        engine: what runs subnets.
        executor: where, by an opener whose work is :func:`answer` on a :class:`Share`; None for here. Neither answers nor
            the journal depend on it.
        skip_failed: go on without subnets whose evaluation always fails, in place of stopping.
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
        """The number of subnets that were shown samples, those of the journal included."""
        return len({key for key, _ in self._known})

    def __call__(self, rows: Population, samples: NDArray[np.intp], start: int) -> list[NDArray[np.float16] | None]:
        """Show samples to subnets.

        Args:
            rows: ``(k, g)``, canonical and distinct.
            samples: ``(k, s)`` places of samples, of each subnet its own.
            start: how many these subnets were shown before.

        Returns:
            For each row ``(s,)`` margins; None for a row that is skipped.

        Raises:
            SupernetError: the evaluation of a subnet always fails.
        """
        span = start, start + samples.shape[1]
        asked = [(row.tobytes(), _digest(places)) for row, places in zip(rows, samples, strict=True)]
        shares = [
            Share(row, places, self._statistics.get(row.tobytes()))
            for row, places, key in zip(rows, samples, asked, strict=True)
            if key not in self._known
        ]
        # Those of one resolution together, so that decoded images are used again.
        shares.sort(key=lambda share: self.supernet.network(share.row)[0][1].input_shape)
        for share, outcome in zip(shares, self.executor.in_order(shares), strict=True):
            self._keep(share, span, outcome)
            self.progress()
        return [self._known[key] for key in asked]

    def stop(self, row: Population, value: float, std: float, n_images: int) -> None:
        """Note that a subnet left the race, with the value expected of it and its standard deviation."""
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
            told: NDArray[np.float16] | None = found.margins
        else:
            told, entry = None, skipped(arch, outcome, allowed=self.skip_failed)
        self._journal.append({"arch": arch, "samples": list(span), "shown": shown, **entry})
        self._known[key, shown] = told


def _digest(samples: NDArray[np.intp]) -> str:
    """Of the places of samples: which ones a subnet is shown depends on the whole race before."""
    return hashlib.sha256(samples.astype("<i8").tobytes()).hexdigest()[:16]
