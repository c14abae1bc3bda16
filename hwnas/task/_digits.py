"""Distorted digits: scikit-learn's 1,797 grey 8x8 digits, each seen through a random affine map and noise.

On undistorted digits every subnet of the space is within two points of the best, so a search would not matter.
On distorted ones accuracy grows with capacity and resolution. Splits and distortions are the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

from hwnas.space import Shape, TensorSpec
from hwnas.task._scores import top1
from hwnas.task._task import InputsAt, Score, Specs, image_shape

SPLIT = {"train": 720, "calibration": 177, "validation": 600, "test": 300}
"""Images per split; the digits have the same shares in every split."""

EVALUATION_BATCH = 300
ROTATION_DEGREES, SCALE, SHEAR, SHIFT, NOISE = 30.0, 0.25, 0.2, 0.2, 0.4
"""Bounds of uniform draws (of the scale's logarithm, and of the shift in half image widths). The noise is given by its
standard deviation, in units of the images' own."""

MEAN, STD = 0.3053, 0.3760
"""Of the grey values, which lie between 0 and 1."""


class DigitsData:
    """Calibration, validation, test and training images of the distorted digits.

    Args:
        batch: training images per step.
        views: fixed distortions under which each validation and test image is seen. More views measure more precisely
            and more slowly; ``hwnas evaluate`` and ``search`` use one.
    """

    metrics: Mapping[str, Score] = {"top1": top1}
    labels: tuple[str, ...] = tuple("0123456789")

    def __init__(self, batch: int = 72, views: int = 1) -> None:
        self.batch = batch
        self.views = views

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of the training images; an incomplete last batch is left out."""
        return SPLIT["train"] // self.batch

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """Images drawn without repetition within an epoch; each epoch distorts them anew."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = _random(seed, epoch).permutation(SPLIT["train"])
        images, labels = _part("train")
        chosen = torch.from_numpy(order[position * self.batch : (position + 1) * self.batch])
        return _distorted(images[chosen], _random(seed, epoch, position + 1)), labels[chosen]

    def calibration(self, specs: Specs) -> Iterator[Tensor]:
        """The 177 calibration images, in one batch."""
        yield from (images for images, _ in _view("calibration", image_shape(specs), 0))

    def validation(self, specs: Specs) -> Iterator[tuple[Tensor, Tensor]]:
        """The 600 images on which subnets are compared."""
        for view in range(self.views):
            yield from _view("validation", image_shape(specs), view)

    @property
    def n_calibration(self) -> int:
        """177."""
        return SPLIT["calibration"]

    @property
    def n_validation(self) -> int:
        """600 for each view."""
        return SPLIT["validation"] * self.views

    def validation_of(self, specs: Specs, samples: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """The validation images at these positions."""
        parts = zip(*self.validation(specs), strict=True)
        images, labels = (torch.cat(part)[torch.as_tensor(samples)] for part in parts)
        yield from zip(torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True)

    def test(self, specs: Specs) -> Iterator[tuple[Tensor, Tensor]]:
        """The 300 images on which no choice was based."""
        for view in range(self.views):
            yield from _view("test", image_shape(specs), view)


def _random(*seed: int) -> np.random.RandomState:
    # numpy promises never to change this stream (NEP 19), so every machine and version makes the same images.
    return np.random.RandomState(seed)


@cache
def _split() -> dict[str, NDArray[np.intp]]:
    """Indices of each split. Each digit's images, in the order of a hash, are dealt out to the splits in proportion."""
    target = load_digits().target
    position = np.empty(len(target))
    for digit in range(10):
        members = sorted(np.flatnonzero(target == digit).tolist(), key=_shuffled)
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    order, cuts = np.argsort(position, kind="stable"), np.cumsum(list(SPLIT.values()))[:-1]
    return dict(zip(SPLIT, np.split(order, cuts), strict=True))


def _shuffled(index: int) -> str:
    return hashlib.sha256(f"hwnas digits {index}".encode()).hexdigest()


@cache
def _part(name: str) -> tuple[Tensor, Tensor]:
    """Images ``(n, 1, 8, 8)``, standardised, and labels ``(n,)``."""
    digits = load_digits()
    images = (digits.images[_split()[name]] / 16 - MEAN) / STD
    labels = torch.from_numpy(digits.target[_split()[name]].astype(np.int64))
    return torch.from_numpy(images.astype(np.float32))[:, None], labels


@cache
def _view(part: str, shape: Shape, view: int) -> list[tuple[Tensor, Tensor]]:
    """A split's images under one fixed distortion each, in batches."""
    images, labels = _part(part)
    rendered = _distorted(images, _random(list(SPLIT).index(part), view))({"input": TensorSpec(shape)})
    batches = torch.split(rendered, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH)
    return list(zip(*batches, strict=True))


def _distorted(images: Tensor, random: np.random.RandomState) -> Callable[[Specs], Tensor]:
    """A function that renders ``images`` (n, 1, 8, 8) at any size, each with its own noise and affine map."""
    n = len(images)
    angle, stretch_x, stretch_y, shear, shift_x, shift_y = random.uniform(-1, 1, (6, n))
    angle = np.deg2rad(ROTATION_DEGREES * angle)
    stretch_x, stretch_y = np.exp(SCALE * stretch_x), np.exp(SCALE * stretch_y)
    cos, sin = np.cos(angle), np.sin(angle)
    affine = np.array(
        [
            [cos * stretch_x, SHEAR * shear - sin * stretch_y, SHIFT * shift_x],
            [sin * stretch_x, cos * stretch_y, SHIFT * shift_y],
        ]
    ).transpose(2, 0, 1)
    theta = torch.from_numpy(affine.astype(np.float32))
    noise = torch.from_numpy(random.standard_normal(images.shape).astype(np.float32)) * NOISE
    background = -MEAN / STD

    def render(specs: Specs) -> Tensor:
        grid = F.affine_grid(theta, [n, 1, *image_shape(specs)[1:]], align_corners=False)
        # grid_sample fills the outside with zeros; shifted, zero is the background.
        rendered = F.grid_sample(images + noise - background, grid, align_corners=False) + background
        # Every layer takes on the input's layout; depthwise 5x5 gradients on a CPU are several times faster in this one.
        return torch.empty_like(rendered, memory_format=torch.channels_last).copy_(rendered)

    return render
