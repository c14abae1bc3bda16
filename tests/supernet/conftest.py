"""A small image folder and the example supernet, which runs in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hwnas.supernet import Supernet, get_supernet
from tests.conftest import REPOSITORY

OWN = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"


@pytest.fixture(scope="session")
def own_supernet() -> Supernet:
    return get_supernet(OWN).random(0)


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
