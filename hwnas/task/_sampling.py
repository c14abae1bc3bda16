"""How many of a user's samples are drawn, and how they are batched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """How many of a user's samples are drawn, and how they are batched.

    Attributes:
        n_validation: samples to measure on; all if there are fewer.
        n_calibration: training samples to calibrate with, likewise; validation samples where nothing is trained.
        batch_size: samples per batch.
        seed: of both draws, and of the augmentation of calibration images.
    """

    n_validation: int = 5000
    n_calibration: int = 2000
    batch_size: int = 100
    seed: int = 0


USUAL_SAMPLING = Sampling()
"""The sampling of evaluations without settings of their own."""
