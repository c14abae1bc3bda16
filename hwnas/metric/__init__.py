"""Metrics of a subnet: name, unit, and whether more or less is better.

One registry holds all known metrics; plug-ins add theirs by the entry point ``hwnas.metrics``. A user's column becomes a metric
by giving its direction: ``f1_macro:max``, ``energy_mj:min``.
"""

from hwnas.metric._budget import Budget, parse_budget
from hwnas.metric._metric import DIRECTIONS, Direction, Metric, Source
from hwnas.metric._possible import check_bound, check_range, check_values
from hwnas.metric._registry import (
    BUILT_IN,
    LATENCY,
    QUALITY,
    SIZE,
    THROUGHPUT,
    WRITTEN,
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
    "WRITTEN",
    "Budget",
    "Direction",
    "Metric",
    "Source",
    "check_bound",
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
