"""Metrics: what can be told of a subnet, in which unit, and which way is better.

All metrics that hwnas knows stand in one registry; plug-ins add theirs by the entry point ``hwnas.metrics``. A column of
the user's is a metric too, once its direction is said: ``f1_macro:max``, ``energy_mj:min``.
"""

from hwnas.metric._budget import Budget, parse_budget
from hwnas.metric._metric import DIRECTIONS, Direction, Metric, Source
from hwnas.metric._possible import check_range, check_values
from hwnas.metric._registry import (
    BUILT_IN,
    LATENCY,
    QUALITY,
    SIZE,
    THROUGHPUT,
    column_of,
    get_metric,
    metrics,
    own_metric,
    registered,
    registered_or_own,
    split_direction,
    with_parts,
)

__all__ = [
    "BUILT_IN",
    "DIRECTIONS",
    "LATENCY",
    "QUALITY",
    "SIZE",
    "THROUGHPUT",
    "Budget",
    "Direction",
    "Metric",
    "Source",
    "check_range",
    "check_values",
    "column_of",
    "get_metric",
    "metrics",
    "own_metric",
    "parse_budget",
    "registered",
    "registered_or_own",
    "split_direction",
    "with_parts",
]
