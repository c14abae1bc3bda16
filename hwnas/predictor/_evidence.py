"""Hyperparameters of a Gaussian process by maximum a posteriori evidence (Rasmussen & Williams 2006, ch. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from hwnas.predictor._hyperparameters import Hyperparameters

Matrix = NDArray[np.float64]

_JITTER = 1e-6
_ITERATIONS = 60
"""Most steps of L-BFGS from the prior's mode."""

_REFINEMENTS = 12
"""Most steps of L-BFGS from the optimum for fewer rows."""


class Evidence:
    """Negative log posterior of ``mean + sum_i a_i K_i + rbf exp(-sum_g D_g / 2 l_g^2) + noise diag(variance)``.

    The parameters are logarithms: of each ``a_i``, of ``noise``, then (with an RBF part) of ``rbf`` and each
    ``l_g^2``. Broad normal priors keep parameters that the data do not determine at sensible values.

    Args:
        kernels: ``(n, n)`` each, of mean diagonal 1.
        distances: ``(groups, n, n)`` squared distances, or None for no RBF part.
        y: ``(n,)`` standardised targets.
        variance: ``(n,)`` relative noise variances.
        mean_variance: prior variance of a constant.
        least_noise: lower bound of ``noise``.
    """

    def __init__(
        self,
        kernels: Sequence[Matrix],
        distances: Matrix | None,
        y: NDArray[np.float64],
        variance: NDArray[np.float64],
        mean_variance: float,
        least_noise: float = 0.0,
    ) -> None:
        self.kernels, self.distances, self.y, self.variance = kernels, distances, y, variance
        self.mean_variance = mean_variance
        k = len(kernels)
        self.start = np.log([0.5] * k + [0.15**2])
        self.width = np.full(k + 1, 4.0)
        self.lower, self.upper = np.full(k + 1, -14.0), np.array([8.0] * k + [2.0])
        self.lower[k] = max(self.lower[k], np.log(max(least_noise, 1e-300)))
        self.upper[k] = max(self.upper[k], self.lower[k])
        self.start = np.maximum(self.start, self.lower)
        if distances is not None:
            groups = len(distances)
            typical = np.maximum(distances.mean(axis=(1, 2)), 1e-3) * groups
            self.start = np.concatenate([self.start, [np.log(0.25)], np.log(typical)])
            self.width = np.concatenate([self.width, [4.0], np.full(groups, 2.0)])
            self.lower = np.concatenate([self.lower, [-14.0], np.full(groups, -5.0)])
            self.upper = np.concatenate([self.upper, [8.0], np.full(groups, 12.0)])

    def covariance(self, theta: NDArray[np.float64]) -> tuple[Matrix, Matrix | None]:
        """The covariance of the targets, and its RBF part."""
        values, k = np.exp(theta), len(self.kernels)
        cov = np.full((len(self.y), len(self.y)), self.mean_variance)
        cov[np.diag_indices(len(cov))] += values[k] * self.variance + _JITTER
        for value, kernel in zip(values, self.kernels, strict=False):
            cov += value * kernel
        if self.distances is None:
            return cov, None
        rbf = values[k + 1] * np.exp(-0.5 * np.tensordot(1 / values[k + 2 :], self.distances, 1))
        return cov + rbf, rbf

    def __call__(self, theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Value and gradient."""
        values, k = np.exp(theta), len(self.kernels)
        cov, rbf = self.covariance(theta)
        try:
            factor = cholesky(cov, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)
        alpha = cho_solve((factor, True), self.y)
        slope = np.outer(alpha, alpha) - cho_solve((factor, True), np.eye(len(cov)))
        gradient = np.empty_like(theta)
        for i, kernel in enumerate(self.kernels):
            gradient[i] = -0.5 * values[i] * np.vdot(slope, kernel)
        gradient[k] = -0.5 * values[k] * float(slope.diagonal() @ self.variance)
        if self.distances is not None and rbf is not None:
            weighted = slope * rbf
            gradient[k + 1] = -0.5 * weighted.sum()
            for g, distance in enumerate(self.distances):
                gradient[k + 2 + g] = -0.25 * np.vdot(weighted, distance) / values[k + 2 + g]
        value = 0.5 * float(self.y @ alpha) + float(np.log(factor.diagonal()).sum())
        prior = (theta - self.start) / self.width
        return value + 0.5 * float(prior @ prior), gradient + prior / self.width


def maximise_evidence(evidence: Evidence, near: Hyperparameters | None = None) -> Hyperparameters:
    """The most probable hyperparameters, by L-BFGS from the prior's mode.

    Args:
        evidence: of the data.
        near: start from here, with few steps: the optimum for part of the data is close to the optimum for all.
    """
    bounds = list(zip(evidence.lower, evidence.upper, strict=True))
    options = {"maxiter": _ITERATIONS if near is None else _REFINEMENTS}
    start = evidence.start if near is None else np.clip(_logarithms(near), evidence.lower, evidence.upper)
    found = minimize(evidence, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    values, k = np.exp(found.x), len(evidence.kernels)
    return Hyperparameters(
        linear=tuple(values[:k].tolist()),
        rbf=float(values[k + 1]) if evidence.distances is not None else 0.0,
        scales=tuple(np.sqrt(values[k + 2 :]).tolist()),
        noise=float(values[k]) + _JITTER,
    )


def _logarithms(h: Hyperparameters) -> NDArray[np.float64]:
    """The parameters of :class:`Evidence`."""
    rbf = (h.rbf, *(s**2 for s in h.scales)) if h.rbf else ()
    return np.log(np.maximum([*h.linear, h.noise - _JITTER, *rbf], 1e-300))
