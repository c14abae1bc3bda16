"""Conformance kits: checks of what every space, op, supernet, predictor, searcher, metric and task must do.

A kit is a tuple of functions, one rule each. With pytest, one test per rule::

    import pytest
    from hwnas.testing import SUPERNET_CHECKS

    @pytest.mark.parametrize("check", SUPERNET_CHECKS)
    def test_my_supernet(check):
        check(MySupernet.random(seed=0))

or all of them at once, without pytest: ``check_all(SUPERNET_CHECKS, MySupernet.random(seed=0))``. A rule that does not hold
raises AssertionError. hwnas's own contract tests run the same functions. No kit needs a connection or pretrained weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.lazy import lazily

if TYPE_CHECKING:
    from hwnas.testing._check import Check, check_all
    from hwnas.testing._metric import METRIC_CHECKS
    from hwnas.testing._op import OP_CHECKS
    from hwnas.testing._predictor import PREDICTOR_CHECKS
    from hwnas.testing._searcher import SEARCHER_CHECKS
    from hwnas.testing._space import SPACE_CHECKS
    from hwnas.testing._supernet import SUPERNET_CHECKS
    from hwnas.testing._task import TASK_CHECKS

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

__getattr__, __dir__ = lazily(
    __name__,
    {
        "hwnas.testing._check": "Check check_all",
        "hwnas.testing._metric": "METRIC_CHECKS",
        "hwnas.testing._op": "OP_CHECKS",
        "hwnas.testing._predictor": "PREDICTOR_CHECKS",
        "hwnas.testing._searcher": "SEARCHER_CHECKS",
        "hwnas.testing._space": "SPACE_CHECKS",
        "hwnas.testing._supernet": "SUPERNET_CHECKS",
        "hwnas.testing._task": "TASK_CHECKS",
    },
)
