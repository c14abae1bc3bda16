"""Reading of ``preprocessor_config.json``, the preprocessing of images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from hwnas.errors import SupernetError
from hwnas.supernet._deployed import PREPROCESSOR
from hwnas.task import Preprocessing


def read_preprocessing(folder: Path) -> tuple[Preprocessing | None, int]:
    """The preprocessing of images, and the pixels along each side of its results.

    None and 0 if the folder states no preprocessing; 0 also if the sides differ.

    Raises:
        SupernetError: the file is damaged, or needs something that is not supported.
    """
    path = folder / PREPROCESSOR
    if not path.is_file():
        return None, 0
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        size, crop = stated.get("size", {}), stated.get("crop_size")
        keeps_aspect = isinstance(size, dict) and "shortest_edge" in size
        cropped = bool(stated.get("do_center_crop") and stated.get("do_resize", True))
        normal = stated.get("do_normalize", True)
        preprocessing = Preprocessing(
            mean=_three(stated["image_mean"]) if normal else (0.0, 0.0, 0.0),
            std=_three(stated["image_std"], above=0) if normal else (1.0, 1.0, 1.0),
            divisor=1 / float(stated.get("rescale_factor", 1 / 255)) if stated.get("do_rescale", True) else 1.0,
            resampling=Image.Resampling(stated.get("resample", 2)).name.lower(),
            crop=(_side(crop), _side(size)) if cropped else (1, 1),
            keeps_aspect=keeps_aspect,
        )
        sides = _sides(crop if cropped else size or {})
        return preprocessing, sides.pop() if len(sides) == 1 else 0
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError) as error:
        rule = f"it cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:80]})"
        raise SupernetError(f"{path}", rule, "save the network's image processor again") from error


def _three(value: float | list[float], above: float = -math.inf) -> tuple[float, ...]:
    values = tuple(float(v) for v in (value if isinstance(value, list) else [value] * 3))
    if len(values) != 3 or not all(above < v < math.inf for v in values):
        message = f"{value} for three channels"
        raise ValueError(message)
    return values


def _side(size: int | Mapping[str, Any]) -> int:
    """The side of a square, or the shorter side."""
    sides = _sides(size)
    if len(sides) != 1 or min(sides) < 1:
        message = f"size {size}"
        raise ValueError(message)
    return sides.pop()


def _sides(size: int | Mapping[str, Any]) -> set[int]:
    if isinstance(size, int):
        return {size}
    return {int(size[key]) for key in ("shortest_edge", "height", "width") if key in size}
