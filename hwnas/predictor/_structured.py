"""Bayesian linear regression on structural features, with or without an RBF part over the genes.

With the RBF part it is a Gaussian process in weight space: the kernel enters through inducing subnets (Nystroem
features; Quinonero-Candela & Rasmussen 2005). While every training subnet is inducing, that is the exact process;
beyond ``MAX_EXACT`` they are recombinations of training subnets, so that neither cost nor file grows with the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._base import Arrays, Predictor, Vector
from hwnas.predictor._features import FEATURES_VERSION, Features, Matrix
from hwnas.space import Population, SearchSpace

MEAN_VARIANCE = 10.0
"""Prior variance of the constant, in units of the target's variance: nearly free."""

MAX_EXACT = 2000
INDUCING = 512
EVIDENCE_ROWS = 1000

_NYSTROEM_JITTER = 1e-5
_BLOCK = 2048


class StructuredPredictor(Predictor):
    """The engine of ``gp``, ``ridge`` and ``additive``: they differ in ``parts`` and ``rbf``.

    Args:
        space, seed: see :class:`Predictor`.
        inducing: how many inducing subnets beyond ``MAX_EXACT`` rows.
        evidence_rows: hyperparameters are fitted on a random subset of this size.
    """

    parts: ClassVar[tuple[str, ...]]
    rbf: ClassVar[bool]

    def __init__(
        self, space: SearchSpace, seed: int = 0, inducing: int = INDUCING, evidence_rows: int = EVIDENCE_ROWS
    ) -> None:
        super().__init__(space, seed)
        self.inducing, self.evidence_rows = inducing, evidence_rows
        self.features = Features(self.space)

    # --- fitting ----------------------------------------------------------------------------

    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:
        from scipy.linalg import cholesky, solve_triangular  # noqa: PLC0415 - scoring starts without scipy

        rng = np.random.default_rng(self.seed)
        self._offset, self._unit = float(y.mean()), max(float(y.std()), 1e-9)
        target = (y - self._offset) / self._unit
        relative = variance / variance.mean()
        z = self._standardise(x)
        self._fit_hyperparameters(x, z, target, relative, rng)
        phi = np.concatenate([z * self._prior(), np.full((len(x), 1), np.sqrt(MEAN_VARIANCE))], axis=1)
        if self.rbf:
            self._set_inducing(x if len(x) <= MAX_EXACT else recombine(self.space, x, self.inducing, rng))
            phi = np.concatenate([phi, np.sqrt(self._rbf_variance) * self._kernel(x) @ self._whitening()], axis=1)
        # Posterior of the weights under their unit prior: mean, and a root of the covariance.
        weighted = phi / (relative * self._noise)[:, None]
        precision = phi.T @ weighted
        precision[np.diag_indices(len(precision))] += 1.0
        lower = cholesky(precision, lower=True)
        mean = solve_triangular(lower, weighted.T @ target, lower=True)
        weights = solve_triangular(lower, mean, lower=True, trans="T")
        self._root = solve_triangular(lower, np.eye(len(lower)), lower=True).astype(np.float32)
        n = z.shape[1]
        self._w_linear = weights[:n] * self._prior() * self._scale
        self._bias = float(weights[n] * np.sqrt(MEAN_VARIANCE) - self._centre @ self._w_linear)
        if self.rbf:
            self._w_rbf = (np.sqrt(self._rbf_variance) * self._whitening() @ weights[n + 1 :]).astype(np.float32)

    def _standardise(self, x: Population) -> Matrix:
        """Set centre and scale so that each part's kernel has mean diagonal 1; returns the scaled features.

        Structural features are divided by their spread over the space, not over the data: what the data never
        vary has none.
        """
        reference = self.features.at_resolutions_of(x, np.random.default_rng(0))
        centre, scale = [], []
        for part in self.parts:
            raw: Matrix = getattr(self.features, part)(x)
            unit = np.ones(raw.shape[1])
            if not part.startswith("one_hot"):
                spread = getattr(self.features, part)(reference).std(axis=0)
                unit = 1 / np.where(spread > 1e-9, spread, 1.0)
            z = (raw - raw.mean(axis=0)) * unit
            centre.append(raw.mean(axis=0))
            scale.append(unit / np.sqrt(max(float((z**2).sum(axis=1).mean()), 1e-12)))
        self._centre, self._scale = np.concatenate(centre), np.concatenate(scale)
        self._sizes = [len(c) for c in centre]
        return self._linear(x)

    def _fit_hyperparameters(
        self, x: Population, z: Matrix, target: Vector, relative: Vector, rng: np.random.Generator
    ) -> None:
        from hwnas.predictor._evidence import Evidence, maximise_evidence  # noqa: PLC0415 - needs scipy

        chosen = np.sort(rng.permutation(len(x))[: self.evidence_rows])
        parts = np.split(z[chosen], np.cumsum(self._sizes)[:-1], axis=1)
        distances = self._group_distances(x[chosen]) if self.rbf else None
        kernels = [p @ p.T for p in parts]
        h = maximise_evidence(Evidence(kernels, distances, target[chosen], relative[chosen], MEAN_VARIANCE))
        self._linear_variance, self._rbf_variance, self._noise = list(h.linear), h.rbf, h.noise
        self._length_scales = list(h.scales)

    def _group_distances(self, x: Population) -> Matrix:
        """``(groups, n, n)`` squared distances between rows within each group of ordinal coordinates."""
        ordinal, groups = self.features.ordinal(x), self.features.length_groups()
        distances = []
        for g in range(int(groups.max()) + 1):
            c = ordinal[:, groups == g]
            square = (c**2).sum(axis=1)
            distances.append(np.maximum(square[:, None] + square - 2 * c @ c.T, 0))
        return np.array(distances)

    # --- the parts of the model -------------------------------------------------------------

    def _linear(self, x: Population) -> Matrix:
        """Centred and scaled linear features of all parts, side by side."""
        raw = np.concatenate([getattr(self.features, part)(x) for part in self.parts], axis=1)
        return np.asarray((raw - self._centre) * self._scale)

    def unit_features(self, x: Population) -> Matrix:
        """The linear features, each of unit size rather than each group."""
        parts = np.split(self._linear(x), np.cumsum(self._sizes)[:-1], axis=1)
        return np.concatenate([p * np.sqrt(p.shape[1]) for p in parts if p.shape[1]], axis=1)

    def _prior(self) -> Vector:
        """Prior standard deviation of each linear weight."""
        return np.repeat(np.sqrt(self._linear_variance), self._sizes)

    def _set_inducing(self, rows: Population) -> None:
        self._inducing = rows.astype(np.int8)
        self._inverse_scales = 1 / np.array(self._length_scales)[self.features.length_groups()]
        self._points = (self.features.ordinal(rows) * self._inverse_scales).astype(np.float32)
        self._half_squares = 0.5 * (self._points**2).sum(axis=1)
        self._whiten: Matrix | None = None

    def _kernel(self, x: Population) -> NDArray[np.float32]:
        """``(n, inducing)`` RBF kernel of unit variance; single precision, which is worth 1e-5 point."""
        a = (self.features.ordinal(x) * self._inverse_scales).astype(np.float32)
        exponent: NDArray[np.float32] = a @ self._points.T
        exponent -= 0.5 * (a**2).sum(axis=1)[:, None]
        exponent -= self._half_squares
        return np.exp(np.minimum(exponent, 0, out=exponent), out=exponent)

    def _whitening(self) -> Matrix:
        """``(m, m)`` matrix that turns kernel values into features of unit prior."""
        if self._whiten is None:
            p = self._points.astype(float)
            square = (p**2).sum(axis=1)
            among = np.exp(-0.5 * np.maximum(square[:, None] + square - 2 * p @ p.T, 0))
            among[np.diag_indices(len(p))] += _NYSTROEM_JITTER
            self._whiten = np.linalg.inv(np.linalg.cholesky(among)).T
        return self._whiten

    # --- scoring ----------------------------------------------------------------------------

    def _predict(self, x: Population) -> Vector:
        return _in_blocks(self._mean, x)

    def _mean(self, x: Population) -> Vector:
        z = np.full(len(x), self._bias)
        weights = np.split(self._w_linear, np.cumsum(self._sizes)[:-1])
        for part, w in zip(self.parts, weights, strict=True):
            z += self.features.dot(part, x, w)
        if self.rbf:
            z += self._kernel(x) @ self._w_rbf
        return np.asarray(z * self._unit + self._offset)

    def _predict_std(self, x: Population) -> Vector:
        posterior = self.posterior_std(x)
        # The residual of a purely linear model is misfit far more than noise.
        return posterior if self.rbf else np.sqrt(posterior**2 + self._noise * self._unit**2)

    def posterior_std(self, x: Population) -> Vector:
        """``(n,)`` standard deviation under the model, as if it were the right one."""
        return _in_blocks(self._deviation, x)

    def _deviation(self, x: Population) -> Vector:
        phi = np.concatenate([self._linear(x) * self._prior(), np.full((len(x), 1), np.sqrt(MEAN_VARIANCE))], axis=1)
        missed = np.zeros(len(x))
        if self.rbf:
            nystroem = self._kernel(x) @ self._whitening()
            phi = np.concatenate([phi, np.sqrt(self._rbf_variance) * nystroem], axis=1)
            # What the inducing subnets cannot express stays as uncertain as it was.
            missed = self._rbf_variance * np.maximum(1 - (nystroem**2).sum(axis=1), 0)
        variance = ((phi.astype(np.float32) @ self._root.T) ** 2).sum(axis=1) + missed
        return np.asarray(np.sqrt(variance) * self._unit, dtype=float)

    # --- storing ----------------------------------------------------------------------------

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        rows, columns = np.tril_indices(len(self._root))
        arrays: Arrays = {
            "centre": self._centre,
            "scale": self._scale,
            "w_linear": self._w_linear,
            "root_tril": self._root[rows, columns],
        }
        if self.rbf:
            arrays |= {"inducing": self._inducing, "w_rbf": self._w_rbf}
        settings = {
            "features": FEATURES_VERSION,
            "parts": list(self.parts),
            "sizes": self._sizes,
            "bias": self._bias,
            "offset": self._offset,
            "unit": self._unit,
            "linear_variance": self._linear_variance,
            "rbf_variance": self._rbf_variance,
            "length_scales": self._length_scales,
            "noise": self._noise,
        }
        return arrays, settings

    def _restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        one = self.space.sample(1, np.random.default_rng(0))
        sizes = [getattr(self.features, part)(one).shape[1] for part in self.parts]
        n = sum(sizes)
        inducing = arrays["inducing"] if self.rbf else np.zeros((0, self.space.n_genes), np.int8)
        m = n + 1 + len(inducing)
        shapes: dict[str, tuple[int, ...]] = {
            "centre": (n,),
            "scale": (n,),
            "w_linear": (n,),
            "root_tril": (m * (m + 1) // 2,),
        }
        if self.rbf:
            shapes |= {"w_rbf": (len(inducing),), "inducing": (len(inducing), self.space.n_genes)}
        wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
        if settings["features"] != FEATURES_VERSION or settings["sizes"] != sizes or wrong:
            raise ValueError(f"features {settings['features']}, shapes of {wrong}")
        self._sizes = sizes
        self._centre, self._scale, self._w_linear = arrays["centre"], arrays["scale"], arrays["w_linear"]
        self._bias, self._offset, self._unit = settings["bias"], settings["offset"], settings["unit"]
        self._linear_variance, self._rbf_variance = settings["linear_variance"], settings["rbf_variance"]
        self._length_scales, self._noise = settings["length_scales"], settings["noise"]
        self._root = np.zeros((m, m), dtype=np.float32)
        self._root[np.tril_indices(m)] = arrays["root_tril"]
        if self.rbf:
            self._w_rbf = arrays["w_rbf"]
            self._set_inducing(inducing.astype(np.int16))


def recombine(space: SearchSpace, x: Population, n: int, rng: np.random.Generator) -> Population:
    """``n`` canonical rows, each gene from one of two random rows of ``x``."""
    a, b = x[rng.integers(len(x), size=n)], x[rng.integers(len(x), size=n)]
    return space.canonical(np.where(rng.random(a.shape) < 0.5, a, b))


def _in_blocks(score: Any, x: Population) -> Vector:
    blocks = [score(x[i : i + _BLOCK]) for i in range(0, len(x), _BLOCK)]
    return np.concatenate(blocks) if blocks else np.zeros(0)
