"""Decoded images: what is kept, what makes room, and that images are decoded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwnas.space import TensorSpec
from hwnas.task import ImageFolder, Sampling
from hwnas.task._decoded import DecodedImages


def pixels(n_bytes: int) -> np.ndarray:
    return np.zeros(n_bytes, dtype=np.uint8)


def test_the_resolution_used_longest_ago_makes_room_and_the_limit_holds():
    kept = DecodedImages(100)
    for resolution in (1, 2):
        kept.at(resolution)
        for i in range(4):
            kept.keep(resolution, ("validation", i), pixels(10))
    kept.at(1)  # so that 2 is the older one
    kept.at(3)
    sizes = []
    for i in range(20):
        kept.keep(3, ("validation", i), pixels(10))
        sizes.append(kept.n_bytes)
    # Room for two; 2 goes, room for four more; 1 goes; and what is left over is not kept.
    assert sizes == [90, 100, *range(70, 101, 10), *range(70, 101, 10), *[100] * 10]
    assert [len(kept.at(resolution)) for resolution in (1, 2, 3)] == [0, 0, 10]
    assert list(kept.at(3)) == [("validation", i) for i in range(10)]


def test_images_are_decoded_once_per_resolution(image_folder: Path, monkeypatch: pytest.MonkeyPatch):
    data = ImageFolder(image_folder, 10, Sampling(30, 12, 8))
    opened: list[Path] = []
    plain = ImageFolder._opened

    def noted(self: ImageFolder, path: Path) -> Any:
        opened.append(path)
        return plain(self, path)

    monkeypatch.setattr(ImageFolder, "_opened", noted)
    first: dict[int, torch.Tensor] = {}
    for repeat in range(3):
        for size in (32, 48):
            specs = {"input": TensorSpec((3, size, size))}
            found = torch.cat([x for x, _ in data.validation(specs)] + list(data.calibration(specs)))
            assert torch.equal(first.setdefault(size, found), found)
        assert len(opened) == 2 * (30 + 12), repeat
