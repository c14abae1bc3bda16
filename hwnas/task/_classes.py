"""Names of classes: their order, their shares, and whether they are those of a network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def class_names(labels: Sequence[str]) -> list[str]:
    """The distinct labels: numbers by size, words by alphabet."""
    distinct = set(labels)
    if all(re.fullmatch(r"[+-]?\d+", label) for label in distinct):
        return sorted(distinct, key=int)
    return sorted(distinct)


def class_order(names: Sequence[str], labels: Sequence[str]) -> Sequence[str] | None:
    """The names in the order of a network's classes; None if they are not its classes.

    They are if they are its labels, the numbers from 0, or WordNet ids, whose order is ImageNet's whatever a network
    calls its classes.

    Args:
        names: as `class_names` orders them, as many as ``labels``.
        labels: of the network.
    """
    if set(names) == set(labels):
        return labels
    numbered = all(name.isdecimal() for name in names) and [int(name) for name in names] == [*range(len(labels))]
    return names if numbered or all(re.fullmatch(r"n\d{8}", name) for name in names) else None


def class_shares(counts: Counter[int], labels: Sequence[str]) -> str:
    """The share of each class, the largest first: ``ENTY 23 %, HUM 22 %``; of many classes the first six.

    Args:
        counts: samples by class index.
        labels: names of the classes.
    """
    shares = [f"{labels[i]} {100 * n / counts.total():.0f} %" for i, n in counts.most_common()]
    return ", ".join(shares[:6]) + (f" and {len(shares) - 6} more" if len(shares) > 6 else "")
