"""Fronts of accuracies that were measured on a sample: what is expected of their subnets, by subnets whose accuracy is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hwnas.search import Objective, Problem, hypervolume
from hwnas.space import Population, get_space, macs_cost
from hwnas.study import SearchSettings, _measuring_predictor
from hwnas.study._measuring_predictor import MeasuringPredictor
from hwnas.study._warm_start import Warm
from hwnas.task import share_errors

SPACE = get_space("digits")
MACS = macs_cost(SPACE)
N = 300
"""Samples that accuracies are measured on."""


def accuracy(x: Population) -> NDArray[np.float64]:
    """Of all samples that there may be."""
    return np.asarray(70 + 8 * np.log10(MACS(x) / 1e4) + 2 * (x[:, 0] == 0) - 1.5 * (x[:, 3] == 2))


@dataclass
class Sampled:
    """Measures on some samples: accuracies err by the luck of them."""

    errs: bool = True
    seed: int = 0
    known: dict[bytes, float] = field(default_factory=dict)
    executor: Any = field(default_factory=lambda: SimpleNamespace(workers=1))

    @property
    def data(self) -> Any:
        return SimpleNamespace()

    def errors(self, x: NDArray[Any]) -> NDArray[np.float64] | None:
        return share_errors(self(x), N) if self.errs else None

    @property
    def n_known(self) -> int:
        return len(self.known)

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        for row in x:
            rng = np.random.default_rng([self.seed, *row.astype(int)])
            self.known.setdefault(row.tobytes(), 100 * rng.binomial(N, accuracy(row[None])[0] / 100) / N)
        return np.array([self.known[row.tobytes()] for row in x])

    def has_failed(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        return np.zeros(len(x), dtype=bool)

    def is_whole(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        return ~self.has_failed(x)

    def facts(self, x: NDArray[Any]) -> Mapping[str, Any]:  # noqa: ARG002 (all are measured on as many)
        return {"images": N, "calibration": 0}


def searched(sampled: Sampled, searcher: str) -> tuple[MeasuringPredictor, Population]:
    """The predictor after a search, and the front."""
    predictor = MeasuringPredictor(sampled, SPACE, {"data": "a sample"}, "top1")  # type: ignore[arg-type]
    objectives = [Objective("top1", "%", True, predictor.predict), Objective("macs", "", False, MACS)]
    settings = SearchSettings(searcher, seed=sampled.seed)
    return predictor, predictor.search(Problem(SPACE, objectives), settings, 60, Warm()).x


def volume(x: Population) -> float:
    """Of the true accuracies of some subnets."""
    return hypervolume(np.stack([-accuracy(x), np.log10(MACS(x))], axis=1), (-60.0, 6.0))


def best_told(predictor: MeasuringPredictor, sampled: Sampled) -> Population:
    """The front by what was measured."""
    from hwnas.search import non_dominated

    x = predictor.rows
    return x[non_dominated(np.stack([-sampled(x), MACS(x)], axis=1))]


@pytest.mark.parametrize("searcher", ["linas", "random"])
def test_the_front_is_of_what_is_expected_on_other_samples(searcher: str) -> None:
    gains, flattered, left = [], [], []
    for seed in range(4):
        sampled = Sampled(seed=seed)
        predictor, x = searched(sampled, searcher)
        told = best_told(predictor, sampled)
        gains.append(volume(x) - volume(told))
        flattered.append(np.mean(sampled(told) - accuracy(told)))
        left.append(np.mean(predictor.predict(x) - accuracy(x)))
        rest = predictor.rows
        better = (predictor.predict(rest)[:, None] > predictor.predict(x) + 1e-4) & (MACS(rest)[:, None] <= MACS(x))
        assert not better.any()
        assert (predictor.predict_std(x) > 0).all()
        assert predictor.beside(x)["top1_measured"] == pytest.approx(sampled(x))
        assert predictor.source == f"expected by 60 subnets measured on {N} images of a sample"
    assert np.mean(gains) > 0
    assert abs(np.mean(left)) < 0.4 * np.mean(flattered)


def test_where_errors_are_not_known_the_front_is_of_what_was_measured() -> None:
    sampled = Sampled(errs=False)
    predictor, x = searched(sampled, "random")
    assert set(map(tuple, x.tolist())) == set(map(tuple, best_told(predictor, sampled).tolist()))
    assert predictor.predict(x) == pytest.approx(sampled(x))
    assert np.isnan(predictor.predict_std(x)).all()
    assert not predictor.beside(x)
    assert predictor.source == f"measured on {N} images of a sample"


class Alike(Sampled):
    """A network that answers one of four classes to all."""

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float64]:
        self.known |= {row.tobytes(): 25.0 for row in x}
        return np.full(len(x), 25.0)


def test_subnets_that_are_all_alike_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is expected of them: a model of equal values would be sure of them to nine digits."""
    told: list[str] = []
    monkeypatch.setattr(_measuring_predictor, "notice", told.append)
    predictor, x = searched(Alike(), "random")
    assert told[0].startswith("all 60 measured subnets have the same top1, 25: it cannot tell them apart")
    assert MACS(x).tolist() == [MACS(predictor.rows).min()]
    assert np.isnan(predictor.predict_std(x)).all()
    assert not predictor.beside(x)
