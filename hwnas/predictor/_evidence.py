"""Hyperparameters of a Gaussian process by maximum a posteriori evidence (Rasmussen & Williams 2006, ch. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

Matrix = NDArray[np.float64]

JITTER = 1e-6
_ITERATIONS = 60


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


def maximise_evidence(
    kernels: Sequence[Matrix],
    distances: Matrix | None,
    y: NDArray[np.float64],
    variance: NDArray[np.float64],
    mean_variance: float,
) -> Hyperparameters:
    """Fit ``sum_i linear_i K_i + rbf exp(-sum_g D_g / 2 scale_g^2) + noise diag(variance)`` to ``y``.

    Broad log-normal priors keep parameters that the data say nothing about at sensible values.

    Args:
        kernels: ``(n, n)`` each, of mean diagonal 1.
        distances: ``(groups, n, n)`` squared distances, or None for no RBF part.
        y: ``(n,)`` standardised targets.
        variance: ``(n,)`` relative noise variances.
        mean_variance: prior variance of a constant.
    """
    n, k = len(y), len(kernels)
    groups = 0 if distances is None else len(distances)
    log_linear = np.log(np.full(k, 0.5))
    start = np.concatenate([log_linear, [2 * np.log(0.15)]])
    width = np.concatenate([np.full(k, 4.0), [4.0]])
    lower, upper = np.full(k + 1, -14.0), np.concatenate([np.full(k, 8.0), [2.0]])
    if distances is not None:
        typical = np.maximum(distances.mean(axis=(1, 2)), 1e-3) * groups
        start = np.concatenate([start, [np.log(0.25)], np.log(typical)])
        width = np.concatenate([width, [4.0], np.full(groups, 2.0)])
        lower = np.concatenate([lower, [-14.0], np.full(groups, -5.0)])
        upper = np.concatenate([upper, [8.0], np.full(groups, 12.0)])
    eye = np.eye(n)

    def objective(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Negative log posterior and its gradient with respect to log variances and log squared scales."""
        values = np.exp(theta)
        cov = np.full((n, n), mean_variance)
        cov[np.diag_indices(n)] += values[k] * variance + JITTER
        for value, kernel in zip(values[:k], kernels, strict=True):
            cov += value * kernel
        rbf = None
        if distances is not None:
            rbf = values[k + 1] * np.exp(-0.5 * np.tensordot(1 / values[k + 2 :], distances, 1))
            cov += rbf
        try:
            factor = cholesky(cov, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        alpha = cho_solve((factor, True), y)
        slope = np.outer(alpha, alpha) - cho_solve((factor, True), eye)
        gradient = np.empty_like(theta)
        for i, kernel in enumerate(kernels):
            gradient[i] = -0.5 * values[i] * np.vdot(slope, kernel)
        gradient[k] = -0.5 * values[k] * float(slope.diagonal() @ variance)
        if distances is not None and rbf is not None:
            weighted = slope * rbf
            gradient[k + 1] = -0.5 * weighted.sum()
            for g in range(groups):
                gradient[k + 2 + g] = -0.25 * np.vdot(weighted, distances[g]) / values[k + 2 + g]
        value = 0.5 * float(y @ alpha) + float(np.log(factor.diagonal()).sum())
        prior = (theta - start) / width
        return value + 0.5 * float(prior @ prior), gradient + prior / width

    bounds = list(zip(lower, upper, strict=True))
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ITERATIONS})
    values = np.exp(found.x)
    return Hyperparameters(
        linear=tuple(values[:k].tolist()),
        rbf=float(values[k + 1]) if groups else 0.0,
        scales=tuple(np.sqrt(values[k + 2 :]).tolist()),
        noise=float(values[k]) + JITTER,
    )
