"""Ensemble of small multilayer perceptrons, fitted to the residual of a ridge regression.

The ridge fits the trend, so that predictions stay sensible when data are few or far away. Each network is trained on a random
80 % of the subnets; its error on the others is part of the uncertainty. scikit-learn fits the networks, and numpy evaluates them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._base import Arrays, Predictor, Vector
from hwnas.predictor._effects import linear_effects
from hwnas.predictor._ridge import Ridge
from hwnas.space import Population, SearchSpace

MEMBERS = 5
WIDTH = 64
STEPS = 800
BATCH = 128
MOST_EPOCHS = 200

_KEPT = 0.8
_PENALTY = 1.0
"""``alpha`` of ``MLPRegressor``, the L2 penalty on the weights; residuals have unit variance."""

_BLOCK = 4096

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weights ``(members, in, out)`` and biases ``(members, 1, out)``."""


class MlpEnsemble(Predictor):
    """``mlp``. ``predict_std`` combines the members' disagreement, their error on held-out rows and the ridge's uncertainty."""

    kind = "mlp"

    def __init__(self, space: SearchSpace, seed: int = 0) -> None:
        super().__init__(space, seed)
        self._ridge = Ridge(space, seed)

    def unfitted(self) -> Self:
        new = type(self)(self.space, self.seed)
        new._ridge = self._ridge.unfitted()
        return new

    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:
        ridge = self._ridge
        spread = np.sqrt(variance)
        ridge.fit(x, y, spread, errors=spread if self.least_noise else None)
        left = y - ridge.predict(x)
        self._unit = max(float(left.std()), 1e-9)
        rng = np.random.default_rng(self.seed)
        n_seen = max(round(_KEPT * len(x)), 1)
        seen = np.stack([rng.permutation(len(x)) < n_seen for _ in range(MEMBERS)])
        weight = variance.mean() / variance
        features, target = self._features(x), (left / self._unit).astype(np.float32)
        networks = [_trained(features[s], target[s], weight[s], self.seed + i) for i, s in enumerate(seen)]
        self._layers = [
            (np.stack(weights).astype(np.float32), np.stack(biases).astype(np.float32)[:, None])
            for weights, biases in zip(
                zip(*(n.coefs_ for n in networks), strict=True),
                zip(*(n.intercepts_ for n in networks), strict=True),
                strict=True,
            )
        ]
        error = (self._members(x) * self._unit - left) ** 2
        self._misfit = float(np.sqrt(error[~seen].mean())) if (~seen).any() else float(left.std())

    def _features(self, x: Population) -> NDArray[np.float32]:
        """The ridge's linear features, each scaled to unit size."""
        return self._ridge.scaling.of_unit_size(x).astype(np.float32)

    def _members(self, x: Population) -> NDArray[np.float32]:
        """``(members, n)`` outputs, in units of the residual."""
        blocks = [self._outputs(x[i : i + _BLOCK])[-1][..., 0] for i in range(0, len(x), _BLOCK)]
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((MEMBERS, 0), np.float32)

    def _outputs(self, x: Population) -> list[NDArray[np.float32]]:
        """The outputs of each layer, ``(members, n, width)``."""
        h, found = self._features(x)[None], []
        for i, (weight, bias) in enumerate(self._layers):
            h = h @ weight + bias
            if i < len(self._layers) - 1:
                h = np.maximum(h, 0)
            found.append(h)
        return found

    def _predict(self, x: Population) -> Vector:
        return self._ridge._predict(x) + self._members(x).mean(axis=0) * self._unit if len(x) else np.zeros(0)

    def _predict_std(self, x: Population) -> Vector:
        spread = self._members(x).astype(float).std(axis=0, ddof=1) * self._unit
        return np.asarray(np.sqrt(spread**2 + self._misfit**2 + self._ridge.posterior_std(x) ** 2))

    def _effects(self, x: Population) -> NDArray[np.float64]:
        """Gradients with respect to the features by back-propagation, times the exact changes of the features."""
        hidden = self._outputs(self.space.canonical(x))[:-1]
        gradient = np.ones((1, 1, 1), np.float32)
        for (weight, _), h in zip(self._layers[:0:-1], hidden[::-1], strict=True):
            gradient = (gradient @ weight.transpose(0, 2, 1)) * (h > 0)
        slopes = (gradient @ self._layers[0][0].transpose(0, 2, 1)).mean(axis=0).astype(float) * self._unit
        scaling = self._ridge.scaling
        per_feature = scaling.scale * np.sqrt(scaling.spread(scaling.sizes))
        parts = dict(zip(scaling.parts, scaling.split(slopes * per_feature), strict=True))
        return self._ridge._effects(x) + linear_effects(scaling.features, x, parts)

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays, settings = self._ridge.state()
        joined = {f"ridge.{name}": array for name, array in arrays.items()}
        for i, (weight, bias) in enumerate(self._layers):
            joined |= {f"layer{i}.weight": weight, f"layer{i}.bias": bias}
        return joined, {"ridge": settings, "unit": self._unit, "misfit": self._misfit, "layers": len(self._layers)}

    def _restore(self, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        ridge = {name.removeprefix("ridge."): array for name, array in arrays.items() if name.startswith("ridge.")}
        self._ridge.restore(ridge, settings["ridge"])
        self._unit, self._misfit = settings["unit"], settings["misfit"]
        self._layers = [(arrays[f"layer{i}.weight"], arrays[f"layer{i}.bias"]) for i in range(int(settings["layers"]))]
        self._members(self.space.sample(2, np.random.default_rng(0)))  # shapes that do not chain raise here


def _trained(features: NDArray[np.float32], target: NDArray[np.float32], weight: Vector, seed: int) -> Any:
    """A fitted ``MLPRegressor``: about ``STEPS`` steps of Adam for any number of rows."""
    from sklearn.exceptions import ConvergenceWarning  # prediction must work without scikit-learn
    from sklearn.neural_network import MLPRegressor

    batch = min(BATCH, len(features))
    network = MLPRegressor(
        hidden_layer_sizes=(WIDTH, WIDTH),
        alpha=_PENALTY,
        batch_size=batch,
        learning_rate_init=3e-3,
        max_iter=min(max(STEPS // math.ceil(len(features) / batch), 1), MOST_EPOCHS),
        n_iter_no_change=STEPS,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is fixed, so it may not converge
        return network.fit(features, target, sample_weight=weight)
