"""Divergences of a language model's subnets from the model on a text, computed by workers and kept in a journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import SupernetError
from hwnas.executor import HERE, Done, Failed, Pace, Where
from hwnas.progress import notice, progress, resumable
from hwnas.study._driver_weights import DriverWeights
from hwnas.study._model_on_text import ModelOnText
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.space import Population
    from hwnas.task import Divergence


KIND = "divergence, term by term"
"""Kind of journals. Divergences in older journals are about 2e-4 nats per token too low, by rounding."""


@dataclass(frozen=True)
class Moving:
    """Opens a model and its text in a worker, which then compares the subnet of each ``(batch, row)`` with the parent.

    Attributes:
        given: the model and the text.
        weights: the driver's weights.
    """

    given: ModelOnText
    weights: DriverWeights

    @classmethod
    def of(cls, given: ModelOnText, where: Where) -> Moving:
        """The opener of the workers; those of a cluster are sent the weights."""
        return cls(replace(given), DriverWeights.of(given.net, where))  # a copy without the opened model

    def __call__(self, threads: int | None) -> Callable[[tuple[int, Population]], Divergence]:
        """Open them.

        Raises:
            SupernetError: the weights are no longer the driver's.
            DataError: the text does not fit.
        """
        import torch

        from hwnas.supernet import get_supernet

        if threads is not None:
            torch.set_num_threads(threads)
        given, sent = self.given, self.weights.tensors()
        if sent is not None:
            given.__dict__["net"] = get_supernet(given.model)(sent).in_precision(given.precision)
        self.weights.refuse_others(given.net, f"model {given.model}")
        return _moved(given)


def _moved(given: ModelOnText) -> Callable[[tuple[int, Population]], Divergence]:
    from hwnas.supernet import Moved

    moved = Moved(given.net, given.batches())
    return lambda item: moved(*item)


def divergences(
    given: ModelOnText, rows: Sequence[Population], journal_path: Path, where: Where = HERE, title: str = "comparing"
) -> list[Divergence]:
    """The divergence of each subnet from the parent, over all windows.

    A killed run resumes from its journal. Values do not depend on the number of workers.

    Args:
        given: model and text.
        rows: ``(g,)`` canonical rows.
        journal_path: file that keeps the values.
        where: where to compute.
        title: title of the progress bar.

    Raises:
        SupernetError: the evaluation of a subnet always fails.
        DataError: the text does not fit, or the journal is of something else.
    """
    from hwnas.io import Journal
    from hwnas.supernet import first_replaced
    from hwnas.task import Divergence

    space, n_batches = given.net.space, len(given.batches())
    for note in given.text.notes:
        notice(note)
    items = [(batch, row) for batch in range(n_batches) for row in rows]
    work = {row.tobytes(): len(space.slots) - first_replaced(space, row) for row in rows}
    found: dict[tuple[int, bytes], Divergence] = {}
    with Journal(journal_path, {"kind": KIND, **given.facts()}) as journal:
        for entry in journal.entries:
            found[entry["batch"], space.encode(entry["arch"]).tobytes()] = Divergence(*entry["sums"])
        left = [item for item in items if (item[0], item[1].tobytes()) not in found]
        if len(left) < len(items):
            notice(f"{journal_path} holds {len(items) - len(left)} of {len(items)} comparisons; none is made again")
        total = sum(work[row.tobytes()] for _, row in items)
        done = total - sum(work[row.tobytes()] for _, row in left)
        opener = Moving.of(given, where) if where.elsewhere else lambda _threads, /: _moved(given)
        kept = resumable(lambda: f"{journal_path} keeps {count_of(len(found), 'comparison')}")
        with kept, where.open(opener) as executor, progress(title) as advance:
            pace = Pace(executor.workers)
            advance(done, total, f"blocks, {pace(0)}")
            for (batch, row), outcome in zip(left, executor.in_order(left), strict=True):
                arch = space.decode(row)
                value = _value(outcome, arch)
                sums = [value.tokens, value.kl_sum, value.agreed, value.loss_sum]
                journal.append({"batch": batch, "arch": arch, "sums": sums})
                found[batch, row.tobytes()] = value
                done += work[row.tobytes()]
                advance(done, total, f"blocks, {len(found)} of {len(items)} comparisons, {pace(len(found))}")
    return [sum((found[b, row.tobytes()] for b in range(n_batches)), Divergence()) for row in rows]


def _value(outcome: Done | Failed, arch: Mapping[str, Any]) -> Divergence:
    """The divergence of a subnet.

    Raises:
        SupernetError: its evaluation has failed.
    """
    if isinstance(outcome, Failed):
        error = SupernetError(f"subnet {arch}", outcome.reason, "correct the cause, and resume")
        error.add_note(outcome.trace)
        raise error
    value: Divergence = outcome.value
    return value
