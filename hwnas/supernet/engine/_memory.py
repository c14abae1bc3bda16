"""Memory for activations that outlive a segment, planned before the first batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.graph import Segment
from hwnas.space import Shape


@dataclass(frozen=True)
class Place:
    """Where a value lies, counted in numbers per sample.

    Attributes:
        offset: from the beginning.
        shape: of one sample.
        until: the segment that is the last to need it.
    """

    offset: int
    shape: Shape
    until: int

    @property
    def end(self) -> int:
        """Behind it."""
        return self.offset + math.prod(self.shape)


def placed(segments: Sequence[Segment]) -> dict[str, Place]:
    """A place for all that segments give, such that values which are needed at the same time do not overlap.

    Large ones choose first, each the lowest gap that it fits in (Pisarchyk and Lee 2020, arXiv:2001.03288).
    """
    since = {name: i for i, segment in enumerate(segments) for name in segment.gives}
    until = {name: i for i, segment in enumerate(segments) for name in (*segment.takes, segment.watches)}
    shapes = {name: shape for segment in segments for name, shape in segment.gives.items()}
    places: dict[str, Place] = {}
    for name in sorted(since, key=lambda name: -math.prod(shapes[name])):
        size, offset = math.prod(shapes[name]), 0
        beside = [p for other, p in places.items() if since[other] <= until[name] and since[name] <= p.until]
        for place in sorted(beside, key=lambda place: place.offset):
            if offset + size <= place.offset:
                break
            offset = max(offset, place.end)
        places[name] = Place(offset, shapes[name], until[name])
    return places


class Memory:
    """One block of memory that grows as needed and is reused: fresh pages cost more than writing to them."""

    def __init__(self) -> None:
        self._numbers = np.empty(0, np.float32)

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        """Pickled without its memory: another process starts with none."""
        return Memory, ()

    @property
    def n_bytes(self) -> int:
        """What is kept."""
        return self._numbers.nbytes

    def arrays(self, places: Mapping[str, Place], n: int) -> dict[str, NDArray[np.float32]]:
        """``(n, ...)`` arrays with anything in them; they are those of the last call, taken anew."""
        size = n * max((place.end for place in places.values()), default=0)
        if size > len(self._numbers):
            self._numbers = np.empty(0, np.float32)  # before there is more: never both at once
            self._numbers = np.empty(size, np.float32)
        return {
            name: self._numbers[n * place.offset : n * place.end].reshape((n, *place.shape))
            for name, place in places.items()
        }
