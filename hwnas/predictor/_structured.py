"""Bayesian linear regression on structural features, with or without an RBF part over the genes.

With the RBF part it is a Gaussian process in weight space, with inducing subnets. Up to ``MAX_EXACT`` training subnets, all of
them are inducing and the process is exact. Beyond that, the inducing subnets are recombinations of training subnets, so that
neither the cost nor the file grows with the data.

scikit-learn's ``GaussianProcessRegressor`` and ``BayesianRidge`` were tried instead (``benchmarks/notes/predictors.md``). The
first finds the same process several times as slowly, and cannot be stored without its rows. The second has one penalty for all
features, and larger errors on small data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._base import Arrays, Predictor, Vector
from hwnas.predictor._effects import linear_effects, rbf_effects
from hwnas.predictor._features import FEATURES_VERSION, Features, Matrix
from hwnas.predictor._hyperparameters import Hyperparameters
from hwnas.predictor._inducing import InducingRbf, recombine
from hwnas.predictor._scaling import Scaling
from hwnas.space import Population, SearchSpace

MEAN_VARIANCE = 10.0
"""Prior variance of the constant, in units of the target's variance: nearly unregularised."""

MAX_EXACT = 2000
"""Up to this many training rows, each of them is inducing."""

INDUCING = 512
"""Inducing subnets beyond that."""

FIRST_EVIDENCE_ROWS, EVIDENCE_ROWS = 300, 1000
"""Sizes of the random subsets of rows that hyperparameters are fitted to: first the smaller, then, from there, the larger."""

_BLOCK = 2048
"""Rows predicted at once."""


class StructuredPredictor(Predictor):
    """Base of ``gp``, ``ridge`` and ``additive``, which differ in ``parts`` and ``rbf``.

    Args:
        space, seed: see :class:`Predictor`.
        evidence_rows: size of the random subset that hyperparameters are fitted to.
        given: hyperparameters to use; None fits them.
    """

    parts: ClassVar[tuple[str, ...]]
    rbf: ClassVar[bool]

    def __init__(
        self,
        space: SearchSpace,
        seed: int = 0,
        evidence_rows: int = EVIDENCE_ROWS,
        given: Hyperparameters | None = None,
    ) -> None:
        super().__init__(space, seed)
        self.evidence_rows, self.given = evidence_rows, given
        self.features = Features(self.space)
        self.hyperparameters: Hyperparameters | None = None

    def unfitted(self) -> Self:
        given = self.hyperparameters or self.given
        return type(self)(self.space, self.seed, self.evidence_rows, given)

    # --- fitting ----------------------------------------------------------------------------

    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:
        from scipy.linalg import cholesky, lapack, solve_triangular  # prediction works without scipy

        rng = np.random.default_rng(self.seed)
        self._offset, self._unit = float(y.mean()), max(float(y.std()), 1e-9)
        target = (y - self._offset) / self._unit
        relative = variance / variance.mean()
        self.scaling = Scaling.of(self.features, self.parts, x)
        z = self.scaling(x)
        chosen = rng.permutation(len(x))
        h = self.hyperparameters = self.given or self._most_probable(x, z, target, relative, chosen)
        prior = self._prior()
        phi = np.concatenate([z * prior, np.full((len(x), 1), np.sqrt(MEAN_VARIANCE))], axis=1)
        if self.rbf:
            rows = x if len(x) <= MAX_EXACT else recombine(self.space, x, INDUCING, rng)
            self.kernel = InducingRbf(self.features, rows, h.scales)
            phi = np.concatenate([phi, np.sqrt(h.rbf) * self.kernel(x) @ self.kernel.whitening], axis=1)
        # Posterior of the weights under their unit prior: the mean, and a root of the covariance.
        root_weight = 1 / np.sqrt(relative * h.noise)
        phi *= root_weight[:, None]
        precision = phi.T @ phi
        precision[np.diag_indices(len(precision))] += 1.0
        lower = cholesky(precision, lower=True)
        mean = solve_triangular(lower, phi.T @ (root_weight * target), lower=True)
        weights = solve_triangular(lower, mean, lower=True, trans="T")
        self._root = np.tril(lapack.dtrtri(lower, lower=1)[0]).astype(np.float32)
        n = z.shape[1]
        self._w_linear = weights[:n] * prior * self.scaling.scale
        self._bias = float(weights[n] * np.sqrt(MEAN_VARIANCE) - self.scaling.centre @ self._w_linear)
        if self.rbf:
            self._w_rbf = (np.sqrt(h.rbf) * self.kernel.whitening @ weights[n + 1 :]).astype(np.float32)

    def _most_probable(
        self, x: Population, z: Matrix, target: Vector, relative: Vector, order: NDArray[np.intp]
    ) -> Hyperparameters:
        """Hyperparameters fitted to the first rows in ``order``: first to a few, then refined on more."""
        from hwnas.predictor._evidence import Evidence, maximise_evidence  # needs scipy

        found: Hyperparameters | None = None
        for rows in (FIRST_EVIDENCE_ROWS, self.evidence_rows):
            if found is not None and len(x) <= FIRST_EVIDENCE_ROWS:
                break
            chosen = np.sort(order[:rows])
            kernels = [part @ part.T for part in self.scaling.split(z[chosen])]
            distances = self.features.group_distances(x[chosen]) if self.rbf else None
            least = (self.least_noise / self._unit) ** 2
            evidence = Evidence(kernels, distances, target[chosen], relative[chosen], MEAN_VARIANCE, least)
            found = maximise_evidence(evidence, found)
        assert found is not None
        return found

    def _prior(self) -> Vector:
        """Prior standard deviation of each linear weight."""
        return self.scaling.spread(np.sqrt(self._known.linear))

    @property
    def _known(self) -> Hyperparameters:
        assert self.hyperparameters is not None
        return self.hyperparameters

    # --- scoring ----------------------------------------------------------------------------

    def _predict(self, x: Population) -> Vector:
        return _in_blocks(self._mean, x)

    def _mean(self, x: Population) -> Vector:
        z = np.full(len(x), self._bias)
        for part, w in zip(self.parts, self.scaling.split(self._w_linear), strict=True):
            z += self.features.dot(part, x, w)
        if self.rbf:
            z += self.kernel(x) @ self._w_rbf
        return np.asarray(z * self._unit + self._offset)

    def _effects(self, x: Population) -> Matrix:
        weights = dict(zip(self.parts, self.scaling.split(self._w_linear[None] * self._unit), strict=True))
        effects = linear_effects(self.features, x, weights)
        return effects + rbf_effects(self.kernel, x, self._w_rbf) * self._unit if self.rbf else effects

    def _predict_std(self, x: Population) -> Vector:
        posterior = self.posterior_std(x)
        # The residual of a purely linear model is mostly misfit, not noise.
        return posterior if self.rbf else np.sqrt(posterior**2 + self._known.noise * self._unit**2)

    def posterior_std(self, x: Population) -> Vector:
        """``(n,)`` posterior standard deviation, which assumes that the model is right."""
        return _in_blocks(self._deviation, x)

    def _draws(self, x: Population, n: int, rng: np.random.Generator) -> Matrix:
        spread, missed = self._spread(x)
        if not self.rbf:
            missed = missed + self._known.noise
        drawn = rng.standard_normal((n, len(self._root)), dtype=np.float32) @ spread.T
        drawn += np.sqrt(missed) * rng.standard_normal((n, len(x)))
        return np.asarray(self._predict(x) + drawn * self._unit)

    def _deviation(self, x: Population) -> Vector:
        spread, missed = self._spread(x)
        return np.asarray(np.sqrt((spread**2).sum(axis=1) + missed) * self._unit, dtype=float)

    def _spread(self, x: Population) -> tuple[NDArray[np.float32], Vector]:
        """``(n, weights)`` root of the covariance of predictions, and ``(n,)`` independent variance of each."""
        phi = np.concatenate([self.scaling(x) * self._prior(), np.full((len(x), 1), np.sqrt(MEAN_VARIANCE))], axis=1)
        missed = np.zeros(len(x))
        if self.rbf:
            nystroem = self.kernel(x) @ self.kernel.whitening
            phi = np.concatenate([phi, np.sqrt(self._known.rbf) * nystroem], axis=1)
            # Variance of the prior that the inducing subnets cannot express.
            missed = self._known.rbf * np.maximum(1 - (nystroem**2).sum(axis=1), 0)
        return phi.astype(np.float32) @ self._root.T, missed

    # --- storing ----------------------------------------------------------------------------

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        rows, columns = np.tril_indices(len(self._root))
        arrays: Arrays = {
            "centre": self.scaling.centre,
            "scale": self.scaling.scale,
            "w_linear": self._w_linear,
            "root_tril": self._root[rows, columns],
        }
        if self.rbf:
            arrays |= {"inducing": self.kernel.rows, "w_rbf": self._w_rbf}
        settings = {
            "features": FEATURES_VERSION,
            "parts": list(self.parts),
            "sizes": list(self.scaling.sizes),
            "bias": self._bias,
            "offset": self._offset,
            "unit": self._unit,
            "linear_variance": list(self._known.linear),
            "rbf_variance": self._known.rbf,
            "length_scales": list(self._known.scales),
            "noise": self._known.noise,
        }
        return arrays, settings

    def _restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        one = self.space.sample(1, np.random.default_rng(0))
        sizes = tuple(self.features.part(part, one).shape[1] for part in self.parts)
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
        if settings["features"] != FEATURES_VERSION or tuple(settings["sizes"]) != sizes or wrong:
            raise ValueError(f"features {settings['features']}, shapes of {wrong}")
        self.scaling = Scaling(self.features, self.parts, sizes, arrays["centre"], arrays["scale"])
        self._w_linear = arrays["w_linear"]
        self._bias, self._offset, self._unit = settings["bias"], settings["offset"], settings["unit"]
        self.hyperparameters = Hyperparameters(
            linear=tuple(settings["linear_variance"]),
            rbf=settings["rbf_variance"],
            scales=tuple(settings["length_scales"]),
            noise=settings["noise"],
        )
        self._root = np.zeros((m, m), dtype=np.float32)
        self._root[np.tril_indices(m)] = arrays["root_tril"]
        if self.rbf:
            self._w_rbf = arrays["w_rbf"]
            self.kernel = InducingRbf(self.features, inducing.astype(np.int16), self.hyperparameters.scales)


def _in_blocks(score: Callable[[Population], Vector], x: Population) -> Vector:
    blocks = [score(x[i : i + _BLOCK]) for i in range(0, len(x), _BLOCK)]
    return np.concatenate(blocks) if blocks else np.zeros(0)
