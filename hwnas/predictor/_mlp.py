"""Ensemble of small multilayer perceptrons on what a ridge regression leaves over.

The ridge carries the trend, so that the networks fail gracefully where data are few or far away. Each network
is trained on a random 80 % of the subnets; the rest tell how far to trust it. Torch fits, numpy scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.predictor._base import Arrays, Predictor, Vector
from hwnas.predictor._ridge import Ridge
from hwnas.space import Population, SearchSpace

MEMBERS = 5
WIDTH = 64
STEPS = 800
BATCH = 128
_KEPT = 0.8
_BLOCK = 4096

Layer = NDArray[np.float32]


class MlpEnsemble(Predictor):
    """``mlp``. ``predict_std`` joins the members' disagreement, their error on rows they did not see, and the
    ridge's own uncertainty."""

    kind = "mlp"

    def __init__(self, space: SearchSpace, seed: int = 0) -> None:
        super().__init__(space, seed)
        self._ridge = Ridge(space, seed)

    def _fit(self, x: Population, y: Vector, variance: Vector) -> None:
        ridge = self._ridge
        ridge.fit(x, y, np.sqrt(variance))
        left = y - ridge.predict(x)
        features = self._features(x)
        self._unit = max(float(left.std()), 1e-9)
        rng = np.random.default_rng(self.seed)
        n_seen = max(round(_KEPT * len(x)), 1)
        seen = np.stack([rng.permutation(len(x)) < n_seen for _ in range(MEMBERS)])
        weight = variance.mean() / variance
        self._layers = _train(features, (left / self._unit).astype(np.float32), weight, seen, self.seed)
        error = (self._members(x) * self._unit - left) ** 2
        self._misfit = float(np.sqrt(error[~seen].mean())) if (~seen).any() else float(left.std())

    def _features(self, x: Population) -> NDArray[np.float32]:
        """The ridge's linear features, of unit size each rather than per group."""
        z = self._ridge.unit_features(x)
        return np.asarray(z, dtype=np.float32)

    def _members(self, x: Population) -> NDArray[np.float32]:
        """``(members, n)`` outputs, in units of the residual."""
        blocks = []
        for i in range(0, len(x), _BLOCK):
            h = self._features(x[i : i + _BLOCK])[None]
            for weight, bias in self._layers[:-1]:
                h = np.maximum(h @ weight + bias, 0)
            weight, bias = self._layers[-1]
            blocks.append((h @ weight + bias)[..., 0])
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((MEMBERS, 0), np.float32)

    def _predict(self, x: Population) -> Vector:
        return self._ridge._predict(x) + self._members(x).mean(axis=0) * self._unit if len(x) else np.zeros(0)

    def _predict_std(self, x: Population) -> Vector:
        spread = self._members(x).astype(float).std(axis=0, ddof=1) * self._unit
        return np.asarray(np.sqrt(spread**2 + self._misfit**2 + self._ridge.posterior_std(x) ** 2))

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


def _train(
    features: NDArray[np.float32],
    target: NDArray[np.float32],
    weight: Vector,
    seen: NDArray[np.bool_],
    seed: int,
) -> list[tuple[Layer, Layer]]:
    """Train all members at once (batched matrix products); returns their layers as ``(members, in, out)``."""
    import torch  # noqa: PLC0415 - scoring must start without torch

    generator = torch.Generator().manual_seed(seed)
    members, n_in = len(seen), features.shape[1]
    sizes = [n_in, WIDTH, WIDTH, 1]
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        w = torch.randn(members, fan_in, fan_out, generator=generator) * (2 / fan_in) ** 0.5
        # The last layer starts small: before training, the ridge alone speaks.
        w = w * 0.1 if fan_out == 1 else w
        layers.append((w.requires_grad_(), torch.zeros(members, 1, fan_out, requires_grad=True)))
    x, y = torch.from_numpy(features), torch.from_numpy(target)
    w_rows = torch.from_numpy(weight.astype(np.float32))
    rows = [torch.from_numpy(np.flatnonzero(s)) for s in seen]
    batch = min(BATCH, *(len(r) for r in rows))
    optimiser = torch.optim.AdamW([p for pair in layers for p in pair], lr=3e-3, weight_decay=3e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=STEPS)
    for _ in range(STEPS):
        picked = torch.stack([r[torch.randint(len(r), (batch,), generator=generator)] for r in rows])
        h = x[picked]
        for w, b in layers[:-1]:
            h = torch.relu(torch.baddbmm(b, h, w))
        w, b = layers[-1]
        error = torch.baddbmm(b, h, w)[..., 0] - y[picked]
        loss = (error**2 * w_rows[picked]).mean(dim=1).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return [(w.detach().numpy(), b.detach().numpy()) for w, b in layers]
