"""Preprocessing: images to the tensors that a network was trained with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch import Tensor

Pixels = NDArray[np.uint8]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network at any resolution r. The defaults are Once-for-All's.

    Attributes:
        mean, std: of each channel (three of RGB, or one of grey), after the division by ``divisor``; the mean is subtracted,
            then ``std`` divides.
        divisor: divides the pixel values, which lie between 0 and 255.
        resampling: Pillow's name of the resizing filter, in lower case.
        crop: share of each side that the centre crop keeps, as a fraction: with 7/8 the image is resized to
            ``ceil(r * 8 / 7)`` pixels.
        keeps_aspect: whether only the shorter side is resized to this number, the other in proportion; else both are.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    divisor: float = 255.0
    resampling: str = "bilinear"
    crop: tuple[int, int] = (7, 8)
    keeps_aspect: bool = True

    def __str__(self) -> str:
        sides = "the shorter side" if self.keeps_aspect else "both sides"
        part = "r" if self.crop[0] == self.crop[1] else f"ceil(r / {self.crop[0] / self.crop[1]:g})"
        crop = ", centre crop r x r" if self.crops else ""
        mean, std = (" ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        scaled = f", divide by {self.divisor:g}" if self.divisor != 1 else ""
        colours = "RGB" if self.mode == "RGB" else "greyscale"
        return f"{colours}, {self.resampling} resize of {sides} to {part}{crop}{scaled}, mean {mean}, std {std}"

    @property
    def mode(self) -> str:
        """Pillow's name of the mode to which images are converted."""
        return "RGB" if len(self.mean) == 3 else "L"

    @property
    def crops(self) -> bool:
        """Whether the resized image can be larger than the network's input."""
        return self.keeps_aspect or self.crop[0] != self.crop[1]

    def resized(self, size: int) -> int:
        """Pixels to which a side is resized, for a network's input of ``size`` pixels."""
        return -(-size * self.crop[1] // self.crop[0])

    def config(self, size: int) -> dict[str, Any]:
        """The same in the words of a Hugging Face ``preprocessor_config.json``, for inputs of ``size`` pixels."""
        side = self.resized(size)
        return {
            "image_processor_type": f"{'CLIP' if self.keeps_aspect else 'DeiT' if self.crops else 'ViT'}ImageProcessor",
            "do_convert_rgb": self.mode == "RGB",
            "do_resize": True,
            "size": {"shortest_edge": side} if self.keeps_aspect else {"height": side, "width": side},
            "resample": int(self._filter),
            "do_center_crop": self.crops,
            "crop_size": {"height": size, "width": size},
            "do_rescale": True,
            "rescale_factor": 1 / self.divisor,
            "do_normalize": True,
            "image_mean": self.mean,
            "image_std": self.std,
        }

    def centred(self, image: Image.Image, *, size: int, seed: Sequence[int]) -> Image.Image:  # noqa: ARG002 (as augmented)
        """The image resized, then cropped to the central ``size`` pixels."""
        shorter = self.resized(size)
        width, height = image.size
        if not self.keeps_aspect:
            width, height = shorter, shorter
        elif width <= height:
            width, height = shorter, int(shorter * height / width)
        else:
            width, height = int(shorter * width / height), shorter
        left, top = round((width - size) / 2), round((height - size) / 2)
        return image.resize((width, height), self._filter).crop((left, top, left + size, top + size))

    def augmented(self, image: Image.Image, *, size: int, seed: Sequence[int]) -> Image.Image:
        """Once-for-All's augmentation: a crop of 8-100 % of the area with aspect 3/4 to 4/3, a flip, colour jitter."""
        rng = np.random.default_rng(seed)
        image = image.crop(_random_box(*image.size, rng)).resize((size, size), self._filter)
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = ImageEnhance.Brightness(image).enhance(rng.uniform(1 - 32 / 255, 1 + 32 / 255))
        return ImageEnhance.Color(image).enhance(rng.uniform(0.5, 1.5))

    def standardised(self, images: Sequence[Pixels], device: torch.device = CPU) -> Tensor:
        """``(n, channels, r, r)`` of images of one size. A GPU gets the pixels as bytes and standardises them itself."""
        images = [image.reshape(*image.shape[:2], len(self.mean)) for image in images]  # grey ones come without an axis
        if device.type != "cpu":
            raw = torch.from_numpy(np.stack(images)).pin_memory().to(device, non_blocking=True).permute(0, 3, 1, 2)
            divisor, *moments = (torch.tensor(each, device=device) for each in (self.divisor, self.mean, self.std))
            centre, spread = (each.view(-1, 1, 1) for each in moments)
            return (raw / divisor - centre) / spread
        mean, std = (np.array(each, np.float32).reshape(-1, 1, 1) for each in (self.mean, self.std))
        # Allocated by numpy, in huge pages, so that first touches cost little; single images stay in the CPU's cache.
        x = np.empty((len(images), len(self.mean), *images[0].shape[:2]), np.float32)
        for one, image in zip(x, images, strict=True):
            np.divide(image.transpose(2, 0, 1), np.float32(self.divisor), out=one)
            np.subtract(one, mean, out=one)
            np.divide(one, std, out=one)
        return torch.from_numpy(x)

    @property
    def _filter(self) -> Image.Resampling:
        return Image.Resampling[self.resampling.upper()]


IMAGENET = Preprocessing()
"""Once-for-All's preprocessing: ImageNet's mean and standard deviation, the central 7/8 of the image."""

GREY = Preprocessing(mean=(0.449,), std=(0.226,))
"""The same for greyscale images, with the averages over ImageNet's channels."""


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
