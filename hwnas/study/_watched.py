"""Progress through the samples of a task, whoever goes through them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from hwnas.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

    from hwnas.task import Inputs, Score, Specs, Task

Batch = TypeVar("Batch")


class Watched:
    """A task that reports how far each pass over its samples is.

    How many there are is what the task tells (``n_calibration``, ``n_validation``), or what the first whole pass found: none is
    made to count them.

    Args:
        task: to watch.
        title: what its samples are used for.
        known: samples of each split, as far as they are known.
    """

    def __init__(self, task: Task, title: str, known: dict[str, int] | None = None) -> None:
        told = {
            split: n for split in ("calibration", "validation") if (n := getattr(task, f"n_{split}", None)) is not None
        }
        self.task, self.title = task, title
        self.metrics: Mapping[str, Score] = task.metrics
        self.labels = task.labels
        self._known = told if known is None else known

    def used_for(self, title: str) -> Watched:
        """The same task, whose samples are used for something else now."""
        return Watched(self.task, title, self._known)

    def calibration(self, specs: Specs) -> Iterator[Inputs]:
        """As the task's."""
        return self._seen("calibration", ((batch, _size(batch)) for batch in self.task.calibration(specs)))

    def validation(self, specs: Specs) -> Iterator[tuple[Inputs, Tensor]]:
        """As the task's."""
        return self._seen("validation", ((batch, _size(batch[0])) for batch in self.task.validation(specs)))

    def _seen(self, split: str, sized: Iterable[tuple[Batch, int]]) -> Iterator[Batch]:
        done = 0
        with progress(self.title) as advance:
            for batch, size in sized:
                advance(done, self._known.get(split), "samples")
                yield batch
                done += size
        self._known[split] = done


def _size(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)
