"""DyNAS-T's own search code, with an oracle instead of ImageNet.

``dynast`` (1.6.0, ``pip install --no-deps dynast``) imports every supernet that it knows, with all their dependencies. Those that
a search on OFA-MobileNetV3 does not need are stubbed during the import. Only the runner, which evaluates subnets, is replaced:
loops, predictors, operators and defaults are DyNAS-T's.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import io
import logging
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import sklearn
from numpy.typing import NDArray

from hwnas.space import Population, SearchSpace

SUPERNET = "ofa_mbv3_d234_e346_k357_w1.0"
STUBBED = (
    *("requests", "torchvision", "fvcore", "torchprofile", "transformers", "fairseq", "nncf", "neural_compressor"),
    *("sacremoses", "gdown", "ofa", "datasets", "onnxruntime_extensions", "openvino", "progressbar", "tqdm", "timm"),
    "pymoo.algorithms.moo.age",  # needs numba; the tactic is not used
    *(f"dynast.supernetwork.{other}" for other in ("machine_translation", "text_classification")),
    *(f"dynast.supernetwork.image_classification.{other}" for other in ("vit", "bootstrapnas", "ofa_quantization")),
)
Score = Callable[[Population], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Rows to (top-1 in %, MACs)."""


class _Anything(type):
    """A class whose attributes are all such classes."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


class _Stub(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if any(name == root or name.startswith(f"{root}.") for root in STUBBED):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Stub(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def import_dynast() -> ModuleType:
    """DyNAS-T's module of search tactics."""
    if "dynast.search.search_tactic" not in sys.modules:
        finder = _Finder()
        handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
        sys.meta_path.insert(0, finder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module("dynast.search.search_tactic")
        finally:
            sys.meta_path.remove(finder)
            for name in [n for n, m in sys.modules.items() if isinstance(m, _Stub)]:
                del sys.modules[name]
            logging.getLogger().handlers[:] = handlers  # DyNAS-T replaces the handlers of the root logger
            logging.getLogger().setLevel(max(level, logging.WARNING))
    return sys.modules["dynast.search.search_tactic"]


class _FinishedError(Exception):
    """The last evaluation was made."""


def _predict(predictor: Any, features: Any) -> Any:
    """``predictor.predict``, but for ridge without scikit-learn's input checks, which take half the time."""
    best = predictor.searchers[predictor.best_index].best_estimator_
    if hasattr(best, "coef_") and best.__class__.__name__ == "Ridge":
        return (features @ best.coef_ + best.intercept_) * predictor.normalization_factor
    return predictor.predict(features)


class _Runner:
    """DyNAS-T's OFARunner with real evaluations from the oracle, and predictions from DyNAS-T's predictors."""

    space: SearchSpace
    score: Score
    evaluations: int
    rows: list[Population]

    def __init__(self, acc_predictor: Any = None, macs_predictor: Any = None, **_: Any) -> None:
        self.acc_predictor, self.macs_predictor = acc_predictor, macs_predictor

    def estimate_accuracy_top1(self, features: Any) -> Any:
        return _predict(self.acc_predictor, features)

    def estimate_macs(self, features: Any) -> Any:
        return _predict(self.macs_predictor, features)

    def _evaluate(self, arch: dict[str, Any]) -> tuple[float, float]:
        row = self.space.encode({"ks": arch["ks"], "e": arch["e"], "d": arch["d"], "r": 224})
        top1, macs = self.score(row[None])
        return float(top1[0]), float(macs[0])

    def validate_macs_params(self, arch: dict[str, Any]) -> tuple[float, int]:
        return self._evaluate(arch)[1], 0

    def validate_top1(self, arch: dict[str, Any]) -> float:
        self.rows.append(self.space.encode({"ks": arch["ks"], "e": arch["e"], "d": arch["d"], "r": 224}))
        if len(self.rows) >= self.evaluations:
            raise _FinishedError  # skip one more inner search, whose result would not be evaluated
        return self._evaluate(arch)[0]


@contextlib.contextmanager
def _oracle_runner(
    tactics: ModuleType, space: SearchSpace, score: Score, evaluations: int
) -> Iterator[list[Population]]:
    rows: list[Population] = []
    facts = {"space": space, "score": staticmethod(score), "rows": rows, "evaluations": evaluations}
    runner = type("OracleRunner", (_Runner,), facts)
    original = tactics.__dict__["OFARunner"]
    tactics.__dict__["OFARunner"] = runner
    try:
        yield rows
    finally:
        tactics.__dict__["OFARunner"] = original


def run(tactic: str, space: SearchSpace, score: Score, evaluations: int, seed: int, population: int = 50) -> Population:
    """Run one of DyNAS-T's tactics; returns the ``(n, g)`` rows of all real evaluations in order, including repeats.

    Args:
        tactic: class name: ``LINAS``, ``Evolutionary`` (NSGA-II) or ``RandomSearch``.
        space: of the rows.
        score: the oracle.
        evaluations: number of real evaluations.
        seed: of the global random generators.
        population: DyNAS-T's default is 50.
    """
    tactics = import_dynast()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - pymoo and DyNAS-T draw from the global generators
    with (
        tempfile.TemporaryDirectory() as folder,
        _oracle_runner(tactics, space, score, evaluations) as rows,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        joblib.parallel_backend("sequential"),
        sklearn.config_context(assume_finite=True, skip_parameter_validation=True),
        contextlib.suppress(_FinishedError),
    ):
        warnings.simplefilter("ignore")
        search = getattr(tactics, tactic)(
            supernet=SUPERNET,
            optimization_metrics=["accuracy_top1", "macs"],
            measurements=["accuracy_top1", "macs"],
            num_evals=evaluations,
            results_path=str(Path(folder) / "results.csv"),
            population=evaluations if tactic == "RandomSearch" else population,
            seed=seed,
            search_algo="nsga2",
        )
        search.search()
    return np.stack(rows[:evaluations])
