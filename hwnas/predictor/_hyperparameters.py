"""Hyperparameters of a Gaussian process: how much of the variance each of its kernels explains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hyperparameters:
    """In units of the standardised target.

    Attributes:
        linear: prior variance explained by each linear kernel.
        rbf: prior variance of the RBF kernel; 0 without one.
        scales: length scale per group of coordinates.
        noise: variance of a measurement whose relative noise is 1.
    """

    linear: tuple[float, ...]
    rbf: float
    scales: tuple[float, ...]
    noise: float
