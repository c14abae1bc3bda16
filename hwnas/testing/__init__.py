"""Conformance kits: what every space, op, supernet, predictor, searcher, metric and task must do, as checks to run on yours.

A kit is a tuple of functions, one rule each. With pytest, one test per rule::

    import pytest
    from hwnas.testing import SUPERNET_CHECKS

    @pytest.mark.parametrize("check", SUPERNET_CHECKS)
    def test_my_supernet(check):
        check(MySupernet.random(seed=0))

or all of them at once, anywhere: ``check_all(SUPERNET_CHECKS, MySupernet.random(seed=0))``. hwnas's own contract tests run
the same functions. What does not hold raises AssertionError. No kit needs pytest, a network or weights.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwnas.testing._check import Check, check_all
    from hwnas.testing._metric import METRIC_CHECKS
    from hwnas.testing._op import OP_CHECKS
    from hwnas.testing._predictor import PREDICTOR_CHECKS
    from hwnas.testing._searcher import SEARCHER_CHECKS
    from hwnas.testing._space import SPACE_CHECKS
    from hwnas.testing._supernet import SUPERNET_CHECKS
    from hwnas.testing._task import TASK_CHECKS

_HOMES = {
    "_check": "Check check_all",
    "_metric": "METRIC_CHECKS",
    "_op": "OP_CHECKS",
    "_predictor": "PREDICTOR_CHECKS",
    "_searcher": "SEARCHER_CHECKS",
    "_space": "SPACE_CHECKS",
    "_supernet": "SUPERNET_CHECKS",
    "_task": "TASK_CHECKS",
}
"""Modules of this room, and the public names that each of them has."""

_HOME = {name: f"hwnas.testing.{module}" for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "METRIC_CHECKS",
    "OP_CHECKS",
    "PREDICTOR_CHECKS",
    "SEARCHER_CHECKS",
    "SPACE_CHECKS",
    "SUPERNET_CHECKS",
    "TASK_CHECKS",
    "Check",
    "check_all",
]
