"""Show progress through the samples of a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from hwnas.progress import progress

if TYPE_CHECKING:
    from torch import Tensor

    from hwnas.task import Inputs, Score, Specs, Task

Batch = TypeVar("Batch")


class Watched:
    """A task that shows the progress of each pass over its samples.

    The number of samples comes from the task (``n_calibration``, ``n_validation``) or from the first complete pass.

    Args:
        task: the task.
        title: use of the samples, as title of the progress bar.
        known: number of samples of each split, as far as known.
    """

    def __init__(self, task: Task, title: str, known: dict[str, int] | None = None) -> None:
        splits = ("calibration", "validation")
        own = {split: n for split in splits if (n := getattr(task, f"n_{split}", None)) is not None}
        self.task, self.title = task, title
        self.metrics: Mapping[str, Score] = task.metrics
        self.labels = task.labels
        self._known = own if known is None else known

    @property
    def n_calibration(self) -> int | None:
        """Calibration samples; None before the first pass over those of a task that does not tell."""
        return self._known.get("calibration")

    def used_for(self, title: str) -> Watched:
        """The same task with another title."""
        return Watched(self.task, title, self._known)

    def calibration(self, specs: Specs) -> Iterator[Inputs]:
        """See Task."""
        return self._seen("calibration", ((batch, _size(batch)) for batch in self.task.calibration(specs)))

    def validation(self, specs: Specs) -> Iterator[tuple[Inputs, Tensor]]:
        """See Task."""
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
