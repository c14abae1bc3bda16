"""Images in folders, one folder per class. Validation images are preprocessed for the network, the others augmented."""

from __future__ import annotations

import copy
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from hwnas.errors import DataError
from hwnas.task._decoded import CACHE_BYTES, DecodedImages, Key
from hwnas.task._image_files import ImageFiles, Sample
from hwnas.task._pixels import CPU, IMAGENET, Pixels, Preprocessing
from hwnas.task._sampling import Sampling
from hwnas.task._scores import top1
from hwnas.task._task import InputsAt, Score, Specs, digest_of, image_shape

DEEP = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes of more than 8 bits. Conversion to 8 would cut values off at 255, and leave a white or black image."""

THREADS = min(8, os.cpu_count() or 1)
"""Threads that decode; on 16 cores 8 threads decode as many images per second as 16."""


class ImageFolder:
    """``<folder>/val/<class>/*.jpg`` (with ``train/`` for calibration), or ``<folder>/<class>/*.jpg``.

    Args:
        folder: see above.
        classes: number of the network's classes; None takes the folder's.
        sampling: images to draw, and to put into a batch.
        labels: names of the network's classes, in the order of the logits. If they are unknown (empty), the class folders
            are taken in alphabetical order, or in numerical order where all names are numbers.
        preprocessing: what the network was trained with.

    Attributes:
        labels: names of the classes, in the order of the logits.
        has_training: whether there are training images. Without them, calibration uses validation images, not their labels.
        n_available: number of validation images in the folder.
        notes: sentences about the data: images per class, classes without images, files that are left out.
        broken: images that are left out because they do not decode or have more than 8 bits per channel, with the reason.

    Raises:
        DataError: the folder does not exist, has no images, or has other classes than the network.
    """

    metrics: Mapping[str, Score] = {"top1": top1}
    noun = "images"

    def __init__(
        self,
        folder: str | os.PathLike[str],
        classes: int | None,
        sampling: Sampling,
        *,
        labels: Sequence[str] = (),
        preprocessing: Preprocessing = IMAGENET,
    ) -> None:
        # Pillow's warnings are of damaged notes in photos that decode, and name no file. Those of single images could not be
        # silenced one by one: threads share their filters.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        self.folder, self.preprocessing = Path(folder), preprocessing
        files = ImageFiles.of(self.folder, classes, labels)
        self.labels, self.notes = files.labels, files.notes
        self.has_training, self.n_available = bool(files.training), len(files.validation)
        rng = np.random.default_rng(sampling.seed)
        self._validation = _drawn(files.validation, sampling.n_validation, rng)
        self._calibration = _drawn(files.training or files.validation, sampling.n_calibration, rng)
        self._training = files.training
        self.batch_size, self.seed = sampling.batch_size, sampling.seed
        self.broken: dict[Path, str] = {}
        self._cache = DecodedImages(CACHE_BYTES)
        self._device = CPU

    def made_on(self, device: torch.device) -> Self:
        """The same images, in batches on a device; both share the cache of decoded images."""
        other = copy.copy(self)
        other._device = device
        return other

    def digest(self) -> str:
        """Digest of the drawn images, by class, name and size."""
        drawn = [self._validation, self._calibration]
        return digest_of([[(label, path.name, _size(path)) for label, path in each] for each in drawn])

    def calibration(self, specs: Specs) -> Iterator[Tensor]:
        """Batches ``(n, channels, r, r)``, the same at every call."""
        yield from (images for images, _ in self._batches("calibration", self._calibration, specs))

    def validation(self, specs: Specs) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches ``(n, channels, r, r)`` with class indices ``(n,)``, the same at every call."""
        yield from self._batches("validation", self._validation, specs)

    @property
    def n_calibration(self) -> int:
        """Calibration images drawn, including those that will be left out."""
        return len(self._calibration)

    @property
    def n_validation(self) -> int:
        """Validation images drawn, including those that will be left out."""
        return len(self._validation)

    def validation_of(self, specs: Specs, samples: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """The validation images at these positions."""
        yield from self._batches("validation", self._validation, specs, samples)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of ``train/``; one smaller batch if it does not fill any."""
        return max(1, len(self._training) // self.batch_size)

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """Images drawn without repetition within an epoch; each epoch augments them anew.

        Raises:
            DataError: there is no ``train/``, or all images of the batch are left out.
        """
        if not self._training:
            raise DataError(f"data {self.folder}", "it has no train/ to learn from", "lay it out as train/ and val/")
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(self._training))
        chosen = order[position * self.batch_size : (position + 1) * self.batch_size].tolist()
        with ThreadPoolExecutor(THREADS) as pool:
            opened = list(pool.map(self._opened, (self._training[i][1] for i in chosen)))
        kept = [(i, image) for i, image in zip(chosen, opened, strict=True) if image is not None]
        if not kept:
            raise self._all_left_out("a whole batch", self._training[chosen[0]][1])

        def render(specs: Specs) -> Tensor:
            size = self.resolution(specs)

            def view(sample: tuple[int, Image.Image]) -> Pixels:
                i, image = sample
                return np.asarray(self.preprocessing.augmented(image, size=size, seed=(seed, epoch, i)))

            with ThreadPoolExecutor(THREADS) as pool:
                return self.preprocessing.standardised([*pool.map(view, kept)], self._device)

        return render, torch.tensor([self._training[i][0] for i, _ in kept])

    def resolution(self, specs: Specs) -> int:
        """Pixels along each side of the images for a network with these inputs.

        Raises:
            DataError: it is fed other colours, images that are not square, or no images.
        """
        shape, colours = image_shape(specs), self.preprocessing
        if shape[0] != len(colours.mean) or shape[1] != shape[2]:
            kind = "RGB" if colours.mode == "RGB" else "grey"
            rule = f"its images are {kind} and cut square, and the network is fed {'x'.join(map(str, shape))}"
            remedy = "pass a network of such images, or no data where it brings its own"
            raise DataError(f"data {self.folder}", rule, remedy)
        return shape[1]

    def _opened(self, path: Path) -> Image.Image | None:
        """The image, upright and in the network's colours; None, with the reason in ``broken``, if it does not decode or has more than
        8 bits."""
        try:
            with Image.open(path) as image:
                if image.mode not in DEEP:
                    image.load()
                    with suppress(Exception):  # Pillow raises many kinds: what is noted is damaged, not the image
                        ImageOps.exif_transpose(image, in_place=True)
                    return image.convert(self.preprocessing.mode)
                self.broken[path] = f"more than 8 bits per channel ({image.mode}), convert to 8"
        except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            reason = " ".join(str(error).replace(repr(str(path)), "").split())[:80]
            self.broken[path] = f"does not decode ({reason})"
        return None

    def _all_left_out(self, what: str, first: Path) -> DataError:
        rule = f"all images of {what} are left out, as {first.name}: {self.broken[first]}"
        return DataError(f"data {self.folder}", rule, "check the files")

    def _batches(
        self, split: str, samples: Sequence[Sample], specs: Specs, chosen: Sequence[int] | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        resolution = self.resolution(specs)
        positions = range(len(samples)) if chosen is None else chosen
        images: list[Pixels] = []
        labels: list[int] = []
        for position, pixels in zip(positions, self._decoded(split, samples, positions, resolution), strict=True):
            if pixels is None:
                continue
            images.append(pixels)
            labels.append(samples[position][0])
            if len(images) == self.batch_size:
                yield self.preprocessing.standardised(images, self._device), torch.tensor(labels)
                images, labels = [], []
        if images:
            yield self.preprocessing.standardised(images, self._device), torch.tensor(labels)
        if len(self.broken) >= len(samples) and all(path in self.broken for _, path in samples):
            raise self._all_left_out("it", samples[0][1])

    def _decoded(
        self, split: str, samples: Sequence[Sample], positions: Sequence[int], resolution: int
    ) -> Iterator[Pixels | None]:
        """The samples at these positions, decoded ahead by threads; None for those that are left out."""
        transform = self.preprocessing.augmented if split == "calibration" else self.preprocessing.centred
        kept = self._cache.at(resolution)
        with ThreadPoolExecutor(THREADS) as pool:
            ahead: deque[Future[Pixels | None]] = deque()
            for i in positions:
                path = samples[i][1]
                if (split, i) in kept:
                    ahead.append(_done(kept[split, i]))
                else:
                    render = partial(transform, size=resolution, seed=(self.seed, i))
                    ahead.append(pool.submit(self._load, resolution, (split, i), path, render))
                if len(ahead) > 2 * self.batch_size:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _load(
        self, resolution: int, key: Key, path: Path, render: Callable[[Image.Image], Image.Image]
    ) -> Pixels | None:
        image = self._opened(path)
        pixels = None if image is None else np.asarray(render(image))
        self._cache.keep(resolution, key, pixels)
        return pixels


def _done(pixels: Pixels | None) -> Future[Pixels | None]:
    future: Future[Pixels | None] = Future()
    future.set_result(pixels)
    return future


def _size(path: Path) -> int | None:
    """Bytes of a file; None for a broken link."""
    return path.stat().st_size if path.exists() else None


def _drawn(samples: Sequence[Sample], n: int, rng: np.random.Generator) -> list[Sample]:
    return [samples[i] for i in rng.permutation(len(samples))[:n]]
