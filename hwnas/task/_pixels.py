"""Images to tensors: what Once-for-All evaluates on and trains on, with ImageNet's mean and deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

PREPROCESSING = (
    "RGB, bilinear resize of the shorter side to ceil(r / 0.875), centre crop r x r, divide by 255, "
    "mean 0.485 0.456 0.406, std 0.229 0.224 0.225"
)
"""What becomes of an image before it enters a network, in words."""

Pixels = NDArray[np.uint8]


def standardised(images: Sequence[Pixels]) -> Tensor:
    """``(n, 3, r, r)`` standardised."""
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255)
    return x.sub_(torch.tensor(MEAN).reshape(3, 1, 1)).div_(torch.tensor(STD).reshape(3, 1, 1)).contiguous()


def centred(image: Image.Image, *, size: int, seed: Sequence[int]) -> Image.Image:  # noqa: ARG001 (as augmented)
    """The shorter side to ``ceil(size / 0.875)``, then the centre."""
    shorter = math.ceil(size / 0.875)
    width, height = image.size
    if width <= height:
        width, height = shorter, int(shorter * height / width)
    else:
        width, height = int(shorter * width / height), shorter
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))


def augmented(image: Image.Image, *, size: int, seed: Sequence[int]) -> Image.Image:
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
