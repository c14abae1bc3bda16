"""Predictors of a metric from the genes of one space. Accuracies are in percent everywhere.

Prediction needs only numpy. Fitting imports scipy and scikit-learn, and reading OFA's ``.pth`` files imports torch.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from hwnas.errors import PredictorError, UnknownNameError
from hwnas.files import ends_in
from hwnas.predictor import _store
from hwnas.predictor._any_precision import in_any_precision
from hwnas.predictor._base import MIN_SUBNETS, Card, Predictor
from hwnas.predictor._fitting import fit_and_score
from hwnas.predictor._gp import GaussianProcess
from hwnas.predictor._mlp import MlpEnsemble
from hwnas.predictor._ofa import OfaNet
from hwnas.predictor._ridge import Additive, Ridge
from hwnas.predictor._score import Scores, folds, k_fold, score, subnet_groups
from hwnas.predictor._store import save_predictor
from hwnas.space import SearchSpace

__all__ = [
    "MIN_SUBNETS",
    "Card",
    "GaussianProcess",
    "Predictor",
    "Scores",
    "embedded_names",
    "embedded_path",
    "fit_and_score",
    "folds",
    "get_predictor",
    "in_any_precision",
    "k_fold",
    "load_predictor",
    "new_predictor",
    "predictor_kinds",
    "save_predictor",
    "score",
    "subnet_groups",
]

_KINDS: dict[str, type[Predictor]] = {
    "gp": GaussianProcess,
    "ridge": Ridge,
    "additive": Additive,
    "mlp": MlpEnsemble,
}

_READABLE: dict[str, type[Predictor]] = {**_KINDS, OfaNet.kind: OfaNet}

_EMBEDDED = Path(__file__).parent / "embedded"


def predictor_kinds() -> list[str]:
    """Names of the predictors that can be fitted."""
    return list(_KINDS)


def new_predictor(kind: str, space: SearchSpace, seed: int = 0) -> Predictor:
    """An unfitted predictor of a registered kind.

    Raises:
        UnknownNameError: no such kind; suggests the nearest.
    """
    if kind not in _KINDS:
        raise UnknownNameError("predictor kind", kind, _KINDS)
    return _KINDS[kind](space, seed)


def embedded_names() -> list[str]:
    """Spaces whose predictor ships with hwnas."""
    return sorted(path.stem for path in _EMBEDDED.glob("*.safetensors"))


def embedded_path(name: str) -> Path:
    """The file of the predictor that ships for a space."""
    return _EMBEDDED / f"{name}.safetensors"


def load_predictor(path: str | os.PathLike[str], space: SearchSpace) -> Predictor:
    """Read a stored predictor, or a ``.pth`` file that OFA released.

    Raises:
        PredictorError: missing, damaged, an object pickle, or of another space.
    """
    return _store.load_predictor(path, space, _READABLE)


def get_predictor(name: str | os.PathLike[str] | None, space: SearchSpace) -> Predictor:
    """A fitted predictor of ``space``: the one that ships for it (None, or its name), or a file.

    A space with precisions uses the predictor of the same space without them.

    Raises:
        PredictorError: none ships for the space, or the file does not fit.
        UnknownNameError: the name is neither a file nor a predictor that ships.
    """
    if space.plain is not None and not (name is not None and _is_of(name, space)):
        return in_any_precision(get_predictor(name, space.plain), space)
    known = embedded_names()
    if name is None:
        if space.name not in known:
            remedy = (
                "measure accuracies with --evaluate, pass --predictor FILE (`hwnas fit DATA.csv` makes one from measured "
                "subnets), or go by a rough score of untrained networks: --objectives swap,macs"
            )
            raise PredictorError(f"space {space.name}", "no accuracy predictor ships for it", remedy)
        return load_predictor(embedded_path(space.name), space)
    if str(name) in known and not Path(name).is_file():
        return load_predictor(embedded_path(str(name)), space)
    if Path(name).exists() or ends_in(name, ".safetensors", ".pth", ".pt") or os.sep in str(name):
        return load_predictor(name, space)
    if str(name) in _KINDS:
        remedy = f"fit one: hwnas fit DATA.csv --space {shlex.quote(space.reference)} --model {name}"
        raise PredictorError(f"predictor {str(name)!r}", "that is a kind, not a fitted predictor", remedy)
    raise UnknownNameError("predictor", str(name), known, "name the file that hwnas fit wrote")


def _is_of(name: str | os.PathLike[str], space: SearchSpace) -> bool:
    """Whether a file holds a predictor of a space."""
    try:
        load_predictor(name, space)
    except PredictorError:
        return False
    return True
