"""Memory for activations that outlive a segment, allocated before the first batch."""

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
    """The place of a value in memory, in numbers per sample.

    Attributes:
        offset: from the beginning.
        shape: of one sample.
        until: the last segment that needs the value.
    """

    offset: int
    shape: Shape
    until: int

    @property
    def end(self) -> int:
        """The offset behind the value."""
        return self.offset + math.prod(self.shape)


def allocation(segments: Sequence[Segment]) -> dict[str, Place]:
    """Places for all outputs of segments. Values that are needed at the same time do not overlap.

    The largest value chooses first, and each takes the lowest gap into which it fits (Pisarchyk and Lee 2020,
    arXiv:2001.03288).
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
    """One block of memory that grows when needed and is reused, because fresh pages cost more than writing to them."""

    def __init__(self) -> None:
        self._numbers = np.empty(0, np.float32)

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        """Pickle without the block: another process starts with an empty one."""
        return Memory, ()

    @property
    def n_bytes(self) -> int:
        """Bytes of the block."""
        return self._numbers.nbytes

    def arrays(self, places: Mapping[str, Place], n: int) -> dict[str, NDArray[np.float32]]:
        """``(n, ...)`` uninitialised arrays, in the same memory as those of the last call."""
        size = n * max((place.end for place in places.values()), default=0)
        if size > len(self._numbers):
            self._numbers = np.empty(0, np.float32)  # freed first, so that both never exist at once
            self._numbers = np.empty(size, np.float32)
        return {
            name: self._numbers[n * place.offset : n * place.end].reshape((n, *place.shape))
            for name, place in places.items()
        }
