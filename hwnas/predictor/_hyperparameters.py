"""Hyperparameters of a Gaussian process: the prior variance of each of its kernels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hyperparameters:
    """Variances are in units of the standardised target.

    Attributes:
        linear: prior variance of each linear kernel.
        rbf: prior variance of the RBF kernel; 0 without one.
        scales: length scale per group of coordinates.
        noise: variance of a measurement whose relative noise is 1.
    """

    linear: tuple[float, ...]
    rbf: float
    scales: tuple[float, ...]
    noise: float
