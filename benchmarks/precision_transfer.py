"""A predictor of accuracy in any precision, fitted to few quantised subnets: alone, or with a predictor of fp32 as prior.

    python -m benchmarks precision_transfer
    python benchmarks/precision_transfer.py [--supernet digits] [--fp32 150] [--test 150] [--seeds 3]

APQ (Wang et al. 2020, arXiv:2006.08509) transfers a predictor of fp32 subnets to quantised ones. Here the prior is a Gaussian
process fitted to fp32 subnets, which ignores precisions; or the same plus the loss of each layer alone in int8
(``hwnas.supernet.sensitivity``), on a scale fitted to the quantised subnets. Another Gaussian process is fitted to the residual.
All accuracies are measured by onnxruntime on the exported graph; errors are of held-out subnets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from hwnas.predictor import in_any_precision, new_predictor
from hwnas.space import Population, SearchSpace
from hwnas.supernet import MeasuredAccuracy, load_supernet, sensitivity

SIZES = (10, 20, 40, 80, 160)
Values = Callable[[NDArray[np.int16]], NDArray[np.float64]]
"""``(n,)`` values of ``(n, g)`` rows."""


def main() -> None:
    """Print RMSE and tau against the number of quantised subnets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--supernet", default="digits")
    parser.add_argument("--fp32", type=int, default=150, help="plain subnets that the prior is fitted to")
    parser.add_argument("--test", type=int, default=150, help="mixed subnets that errors are of")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    net = load_supernet(options.supernet)
    data = net.data()
    assert data is not None
    mixed = net.in_precision("fp32+int8")
    rng = np.random.default_rng(0)
    x = _distinct(mixed.space, SIZES[-1] + options.test, rng)
    y = MeasuredAccuracy(mixed, data)(x)
    plain_x = _distinct(net.space, options.fp32, rng)
    plain = new_predictor("gp", net.space).fit(plain_x, MeasuredAccuracy(net, data)(plain_x))
    prior = in_any_precision(plain, mixed.space).predict
    loss = _losses(mixed.space, {b.layer: b.agreement.logit_error for b in sensitivity(mixed, mixed.space, data)})
    fp32 = x.copy()
    fp32[:, net.space.n_genes :] = 0
    lost = MeasuredAccuracy(mixed, data)(fp32[:40]) - y[:40]
    print(
        f"{mixed.space.name}: quantised subnets span {y.min():.2f} to {y.max():.2f} %, deviation {y.std():.2f}; of 40 each"
    )
    print(
        f"loses {lost.mean():.2f} points to its precisions ({lost.min():.2f} to {lost.max():.2f}). Mean of {options.seeds} seeds"
    )
    kinds: dict[str, Callable[[Population, NDArray[np.float64]], Values]] = {
        "alone": lambda a, b: _fitted(mixed.space, a, b, lambda rows: np.zeros(len(rows))),
        "from fp32": lambda a, b: _fitted(mixed.space, a, b, prior),
        "from fp32 and layers": lambda a, b: _fitted(mixed.space, a, b, _scaled(a, b, prior, loss)),
    }
    print(f"{'quantised':>9}  " + "  ".join(f"{name:>22}" for name in kinds) + "   (RMSE in points, tau)")
    for n in SIZES:
        cells = []
        for fit in kinds.values():
            scores = []
            for seed in range(options.seeds):
                order = np.random.default_rng(seed).permutation(len(x))
                train, test = order[:n], order[SIZES[-1] :]
                predicted = fit(x[train], y[train])(x[test])
                scores.append((np.sqrt(np.mean((predicted - y[test]) ** 2)), kendalltau(predicted, y[test])[0]))
            rmse, tau = np.mean(scores, axis=0)
            cells.append(f"{f'{rmse:.3f}  {tau:.3f}':>22}")
        print(f"{n:>9}  " + "  ".join(cells), flush=True)


def _distinct(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    x = np.unique(space.sample(2 * n, rng, distinct_uniform=False), axis=0)
    return rng.permutation(x)[:n]


def _losses(space: SearchSpace, by_slot: dict[str, float]) -> Values:
    """The sum of the losses that each int8 layer causes alone."""
    weight = np.zeros(space.n_genes)
    for slot in space.slots:
        columns = [c for c in slot.genes if space.genes[c].role == "precision"]
        if slot.name in by_slot and len(columns) == 1:
            weight[columns[0]] = by_slot[slot.name]
    return lambda rows: (rows * weight).sum(axis=1)


def _scaled(x: Population, y: NDArray[np.float64], prior: Values, loss: Values) -> Values:
    """The prior minus the losses, on the non-negative scale that fits best."""
    rest, lost = y - prior(x), loss(x)
    lost = lost - lost.mean()
    slope = min(0.0, float((rest - rest.mean()) @ lost / max(lost @ lost, 1e-12)))
    return lambda rows: prior(rows) + slope * loss(rows)


def _fitted(space: SearchSpace, x: Population, y: NDArray[np.float64], prior: Values) -> Values:
    rest = new_predictor("gp", space).fit(x, y - prior(x))
    rest.extend_coverage(np.array([[d[0] for d in space.domain], [d[-1] for d in space.domain]], dtype=np.int16))
    return lambda rows: prior(rows) + rest.predict(rows)


if __name__ == "__main__":
    main()
