"""Names of classes: their order, indices and shares, and whether they are a network's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from hwnas.wording import first_few


def class_names(labels: Sequence[str]) -> list[str]:
    """The distinct labels: in numerical order if all are numbers, else in alphabetical order."""
    distinct = set(labels)
    return sorted(distinct, key=int if all(map(_is_number, distinct)) else None)


def class_indices(labels: Sequence[str]) -> dict[str, int]:
    """The class index of each label. Where no label is a number, its position as text (``"0"``, ``"1"``) is known too."""
    numbers = {} if any(map(_is_number, labels)) else {str(i): i for i in range(len(labels))}
    return numbers | {label: i for i, label in enumerate(labels)}


def class_order(names: Sequence[str], labels: Sequence[str]) -> Sequence[str] | None:
    """The names in the order of a network's classes; None if they are other classes.

    Names that equal the network's labels take their order. Where the labels are words, names may also be the numbers from 0,
    or WordNet ids, whose order is that of ImageNet's classes.

    Args:
        names: as `class_names` orders them, as many as ``labels``.
        labels: names of the network's classes, in the order of its logits.
    """
    if set(names) == set(labels):
        return labels
    numbered = all(name.isdecimal() for name in names) and [int(name) for name in names] == [*range(len(labels))]
    for fits, is_one in ((numbered, _is_number), (all(map(_is_wordnet_id, names)), _is_wordnet_id)):
        if fits and not any(map(is_one, labels)):
            return names
    return None


def class_shares(counts: Counter[int], labels: Sequence[str]) -> str:
    """Shares of the classes, largest first: ``ENTY 23 %, HUM 22 %``. At most six are listed.

    Args:
        counts: samples by class index.
        labels: names of the classes.
    """
    shares = [f"{labels[i]} {100 * n / counts.total():.0f} %" for i, n in counts.most_common()]
    return first_few(shares, 6)


def _is_number(label: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", label) is not None


def _is_wordnet_id(label: str) -> bool:
    return re.fullmatch(r"n\d{8}", label) is not None
