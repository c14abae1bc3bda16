"""Counts in messages."""

from __future__ import annotations

import pytest

from hwnas.wording import count_of


@pytest.mark.parametrize(
    ("n", "nouns", "words"),
    [
        (1, ("subnet",), "1 subnet"),
        (3700, ("subnet",), "3,700 subnets"),
        (0, ("class", "classes"), "0 classes"),
        (19_400_000_000_000_000_000, ("subnet",), "1.94e+19 subnets"),
    ],
)
def test_one_thing_is_not_many(n: int, nouns: tuple[str, ...], words: str) -> None:
    assert count_of(n, *nouns) == words
