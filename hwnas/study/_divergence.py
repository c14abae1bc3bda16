"""Divergences of a language model's subnets from the model on a text, computed by workers and kept in a journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import SupernetError
from hwnas.executor import HERE, Done, Failed, Pace, Where
from hwnas.files import ends_in, file_hash
from hwnas.progress import notice, progress, resumable
from hwnas.quantity import count_of
from hwnas.study._driver_weights import DriverWeights

if TYPE_CHECKING:
    from hwnas.space import Population
    from hwnas.supernet import Batch
    from hwnas.supernet.hf import DecoderSupernet
    from hwnas.task import Divergence, LanguageModelling


KIND = "divergence, term by term"
"""Kind of journals. Divergences in older journals are about 2e-4 nats per token too low, by rounding."""


def text_hash(path: Path) -> str:
    """Hash of a file, or of a folder's texts; other files in the folder, such as a journal, may change."""
    return file_hash(path, (file for file in path.rglob("*") if ends_in(file, ".txt")))


@dataclass(frozen=True)
class Windows:
    """A language model, and windows of a text on which its subnets are judged.

    Attributes:
        model: a reference.
        data: the text.
        windows: number of windows.
        length: tokens per window.
        batch_size: windows at once; it is lowered if their logits take too much memory.
        seed: seed of the draw.
        precision: precision of blocks, or those they choose from: ``fp32+int8``.
    """

    model: str
    data: Path
    windows: int = 8
    length: int = 256
    batch_size: int = 4
    seed: int = 0
    precision: str = "fp32"

    @cached_property
    def net(self) -> DecoderSupernet:
        """The model, opened at first use.

        Raises:
            SupernetError: there is no such model, or it is not a language model.
        """
        from hwnas.supernet import get_supernet, load_supernet
        from hwnas.supernet.hf import DECODERS, DecoderSupernet

        if not issubclass(get_supernet(self.model), DecoderSupernet):  # before its weights are looked for
            rule = "it is not a language model, and block libraries are made of these"
            raise SupernetError(f"model {self.model}", rule, f"give hf:FOLDER of one of: {', '.join(DECODERS)}")
        net = load_supernet(self.model)
        assert isinstance(net, DecoderSupernet)
        return net.in_precision(self.precision)

    @cached_property
    def text(self) -> LanguageModelling:
        """The text in windows.

        Raises:
            DataError: there is no text, or less than a window.
        """
        from hwnas.task import Sampling

        sampling = Sampling(self.windows, self.windows, self.batch_size, self.seed)
        return self.net.open_data(self.data, sampling, length=self.length)

    def batches(self) -> Sequence[Batch]:
        """Batches of ``(n, t)`` tokens and the tokens that follow them, from the training text if there is one."""
        return [*self.text.judged(self.length)]

    def facts(self) -> dict[str, Any]:
        """All that divergences depend on, for journals and provenances."""
        return {
            "space": self.net.space.name,
            "fingerprint": self.net.space.fingerprint,
            "digest": self.net.digest,
            "tokenizer": self.net.tokenizer().digest,
            "data": str(self.data.resolve()),
            "sha256": text_hash(self.data),
            "windows": self.windows,
            "length": self.length,
            "batch_size": self.text.windows_at_once(self.length),
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Moving:
    """Opens a model and its text in a worker, which then compares the subnet of each ``(batch, row)`` with the parent.

    Attributes:
        given: the model and the text.
        weights: the driver's weights.
    """

    given: Windows
    weights: DriverWeights

    @classmethod
    def of(cls, given: Windows, where: Where) -> Moving:
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


def _moved(given: Windows) -> Callable[[tuple[int, Population]], Divergence]:
    from hwnas.supernet import Moved

    moved = Moved(given.net, given.batches())
    return lambda item: moved(*item)


def divergences(
    given: Windows, rows: Sequence[Population], journal_path: Path, where: Where = HERE, title: str = "comparing"
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
