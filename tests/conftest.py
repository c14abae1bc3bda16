"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured data that is kept beside the repository, never in it."""
    folder = Path(os.environ.get("HWNAS_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no measured data at {folder} (set HWNAS_SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes, each of its own colour: 5 validation and 4 training images of several sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, n in (("val", 5), ("train", 4)):
        for label in range(10):
            target = folder / split / f"n{label:04d}"
            target.mkdir(parents=True)
            for i in range(n):
                size = (40 + 7 * i, 64 - 3 * label, 3)
                pixels = rng.integers(0, 80, size) + np.array([18 * label, 0, 170 - 17 * label])
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(target / f"{i}.jpg")
    return folder
