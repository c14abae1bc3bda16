"""Classes by what people call them: their order, and whether a network's are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence


def class_names(labels: Sequence[str]) -> list[str]:
    """The distinct labels: numbers by size, words by alphabet."""
    distinct = set(labels)
    if all(label.lstrip("+-").isdigit() for label in distinct):
        return sorted(distinct, key=int)
    return sorted(distinct)


def class_order(names: Sequence[str], labels: Sequence[str]) -> Sequence[str] | None:
    """Names of classes in the order of a network's, by which they are called, or numbered from 0; None if they are others.

    WordNet's ids stand in ImageNet's order, whatever a network calls its classes.

    Args:
        names: as `class_names` orders them, as many as ``labels``.
        labels: of the network.
    """
    if set(names) == set(labels):
        return labels
    numbered = all(name.isdigit() for name in names) and [int(name) for name in names] == [*range(len(labels))]
    return names if numbered or all(re.fullmatch(r"n\d{8}", name) for name in names) else None
