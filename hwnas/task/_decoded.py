"""Decoded images, kept from one subnet to the next."""

from __future__ import annotations

from threading import Lock

from hwnas.task._pixels import Pixels

CACHE_BYTES = 2**30
"""Limit of the decoded images that a data set keeps: some 7,000 at 224 px, enough for evaluation and calibration by default."""

Key = tuple[str, int]
"""Split, and position within the split."""


class DecodedImages:
    """A cache of images by resolution. When it is full, the least recently used resolution is dropped.

    Within one resolution the first images stay: every evaluation reads all images in the same order, so dropping the
    oldest for the newest would drop exactly the image that is read next.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._images: dict[int, dict[Key, Pixels | None]] = {}
        self._bytes: dict[int, int] = {}
        self._lock = Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes in the cache."""
        return sum(self._bytes.values())

    def at(self, resolution: int) -> dict[Key, Pixels | None]:
        """The images of a resolution, which becomes the most recently used one. None stands for an image that is left out."""
        with self._lock:
            images = self._images[resolution] = self._images.pop(resolution, {})
        return images

    def keep(self, resolution: int, key: Key, pixels: Pixels | None) -> None:
        """Keep an image if there is room for it, dropping other resolutions if need be."""
        size = 0 if pixels is None else pixels.nbytes
        with self._lock:
            while (
                self.n_bytes + size > self.limit_bytes
                and (oldest := next(iter(self._images), resolution)) != resolution
            ):
                del self._images[oldest]
                self._bytes.pop(oldest, None)
            if self.n_bytes + size <= self.limit_bytes:
                self._images.setdefault(resolution, {})[key] = pixels
                self._bytes[resolution] = self._bytes.get(resolution, 0) + size
