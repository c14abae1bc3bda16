"""Images in folders, one folder per class: validation and calibration as Once-for-All does them.

Validation: shorter side to ``ceil(r / 0.875)``, centre crop of r. Calibration: random resized crop, flip
and colour jitter, drawn once from the seed. Bilinear resizing, ImageNet's mean and deviation.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, UnidentifiedImageError
from torch import Tensor

from hwnas.errors import DataError
from hwnas.space import Shape

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})

CACHE_BYTES = 512 * 2**20
"""Decoded images kept from one subnet to the next of the same resolution."""

Pixels = NDArray[np.uint8]
Sample = tuple[int, Path]
"""Class index and file."""


class ImageFolder:
    """``<folder>/val/<class>/*.jpg`` (with ``train/`` for calibration), or ``<folder>/<class>/*.jpg``.

    Args:
        folder: see above.
        classes: how many classes the network tells apart.
        n_images: validation images to use, drawn from the seed; all if there are fewer.
        n_calibration: calibration images, likewise.
        batch_size: images per batch.
        seed: of both draws and of the calibration's augmentation.

    Raises:
        DataError: no such folder, no images, or another number of classes.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        classes: int,
        *,
        n_images: int,
        n_calibration: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DataError(f"data {folder}", "there is no such folder", "give the folder that holds val/ and train/")
        split = next((s for s in ("val", "valid", "validation") if (self.folder / s).is_dir()), None)
        validation = self.folder / split if split else self.folder
        training = self.folder / "train"
        names = _class_names(validation, classes)
        self.has_training = split is not None and training.is_dir()
        """Whether calibration has training images; else it uses validation images, without their labels."""
        if self.has_training and _class_names(training, classes) != names:
            raise DataError(f"data {folder}", "train/ and val/ hold different classes", "make their folders the same")
        rng = np.random.default_rng(seed)
        found = _samples(validation, names)
        self.n_available = len(found)
        self._validation = _drawn(found, n_images, rng)
        pool = _samples(training, names) if self.has_training else found
        self._calibration = _drawn(pool, n_calibration, rng)
        self.batch_size = batch_size
        self.seed = seed
        self.broken: dict[Path, str] = {}
        """Images that did not decode and were left out, with the reason."""
        self._cache: dict[tuple[str, int], Pixels | None] = {}
        self._cached_for = 0
        self._cached_bytes = 0

    def calibration(self, shape: Shape) -> Iterator[Tensor]:
        """Batches ``(n, 3, r, r)``, the same at every call."""
        yield from (images for images, _ in self._batches("calibration", self._calibration, shape))

    def validation(self, shape: Shape) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches ``(n, 3, r, r)`` with class indices ``(n,)``, the same at every call."""
        yield from self._batches("validation", self._validation, shape)

    def _batches(self, split: str, samples: Sequence[Sample], shape: Shape) -> Iterator[tuple[Tensor, Tensor]]:
        if shape[0] != 3 or shape[1] != shape[2]:
            raise DataError(f"data {self.folder}", f"the network wants images of shape {shape}", "use its own data")
        resolution = shape[1]
        if resolution != self._cached_for:
            self._cache, self._cached_for, self._cached_bytes = {}, resolution, 0
        images: list[Pixels] = []
        labels: list[int] = []
        for (label, _), pixels in zip(samples, self._decoded(split, samples, resolution), strict=True):
            if pixels is None:
                continue
            images.append(pixels)
            labels.append(label)
            if len(images) == self.batch_size:
                yield _tensor(images), torch.tensor(labels)
                images, labels = [], []
        if images:
            yield _tensor(images), torch.tensor(labels)
        if len(self.broken) >= len(samples) and all(path in self.broken for _, path in samples):
            first, reason = next(iter(self.broken.items()))
            raise DataError(
                f"data {self.folder}", f"no image of it decodes ({first.name}: {reason})", "check the files"
            )

    def _decoded(self, split: str, samples: Sequence[Sample], resolution: int) -> Iterator[Pixels | None]:
        """Images in order, decoded ahead by threads; None for those that do not decode."""
        transform = _augmented if split == "calibration" else _centred
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            ahead: deque[Future[Pixels | None]] = deque()
            for i, (_, path) in enumerate(samples):
                load = partial(self._load, split, i, path, partial(transform, size=resolution, seed=(self.seed, i)))
                ahead.append(pool.submit(load))
                if len(ahead) > 2 * self.batch_size:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _load(self, split: str, i: int, path: Path, transform: Callable[[Image.Image], Image.Image]) -> Pixels | None:
        key = (split, i)
        if key in self._cache:
            return self._cache[key]
        pixels: Pixels | None = None
        try:
            with Image.open(path) as image:
                pixels = np.asarray(transform(image.convert("RGB")))
        except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            self.broken[path] = " ".join(str(error).replace(repr(str(path)), "").split())[:80]
        size = 0 if pixels is None else pixels.nbytes
        if self._cached_bytes + size <= CACHE_BYTES:
            self._cache[key] = pixels
            self._cached_bytes += size
        return pixels


def _class_names(folder: Path, classes: int) -> list[str]:
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise DataError(f"data {folder}", "it holds no class folders", "lay images out as <class>/<image>.jpg")
    if len(names) != classes:
        rule = f"it has {len(names)} class folders, the network tells {classes} classes apart"
        raise DataError(f"data {folder}", rule, "pass data of the network's classes")
    return names


def _samples(folder: Path, names: Sequence[str]) -> list[Sample]:
    """Every image, by class and name; class indices follow the sorted folder names, as in ImageNet's."""
    found = [
        (label, Path(entry.path))
        for label, name in enumerate(names)
        for entry in sorted(os.scandir(folder / name), key=lambda entry: entry.name)
        if Path(entry.name).suffix.lower() in EXTENSIONS
    ]
    if not found:
        raise DataError(f"data {folder}", "its class folders hold no images", "lay images out as <class>/<image>.jpg")
    return found


def _drawn(samples: Sequence[Sample], n: int, rng: np.random.Generator) -> list[Sample]:
    return [samples[i] for i in rng.permutation(len(samples))[:n]]


def _tensor(images: Sequence[Pixels]) -> Tensor:
    """``(n, 3, r, r)`` standardised."""
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255)
    return x.sub_(torch.tensor(MEAN).reshape(3, 1, 1)).div_(torch.tensor(STD).reshape(3, 1, 1)).contiguous()


def _centred(image: Image.Image, *, size: int, seed: tuple[int, int]) -> Image.Image:  # noqa: ARG001
    shorter = math.ceil(size / 0.875)
    width, height = image.size
    if width <= height:
        width, height = shorter, int(shorter * height / width)
    else:
        width, height = int(shorter * width / height), shorter
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))


def _augmented(image: Image.Image, *, size: int, seed: tuple[int, int]) -> Image.Image:
    """What Once-for-All trains and calibrates on: crop of 8-100 % of the area and 3/4-4/3 aspect, flip, jitter."""
    rng = np.random.default_rng(seed)
    image = image.crop(_random_box(*image.size, rng)).resize((size, size), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(1 - 32 / 255, 1 + 32 / 255))
    return ImageEnhance.Color(image).enhance(rng.uniform(0.5, 1.5))


def _random_box(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1.0)
        aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
