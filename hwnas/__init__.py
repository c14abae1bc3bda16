"""hwnas: the Pareto front of a pretrained supernet's subnets, measured on your device."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwnas.metric import Metric as Metric
    from hwnas.study import Evaluation as Evaluation
    from hwnas.study import Front as Front
    from hwnas.study import Study as Study

__version__ = "0.1.0"

__all__ = ["Evaluation", "Front", "Metric", "Study", "__version__"]

_HOMES = {"Evaluation": "hwnas.study", "Front": "hwnas.study", "Metric": "hwnas.metric", "Study": "hwnas.study"}


def __getattr__(name: str) -> object:
    """Load what is asked for: ``import hwnas`` alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hwnas' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
