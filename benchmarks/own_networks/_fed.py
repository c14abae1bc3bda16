"""Inputs for timing: texts of the test set at their own lengths or padded to the full length, or an image."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.supernet import Supernet
from hwnas.supernet.hf import TextEncoder
from hwnas.task import Tokenizer

TEXTS = 8
"""Texts in a run: their lengths are evenly spaced quantiles of the test set's."""

Feeds = list[dict[str, NDArray[Any]]]


def fed(net: Supernet, folder: Path, size: int, *, filled: bool) -> Feeds:
    """Batches of one sample.

    Args:
        net: its tokenizer gives the ids.
        folder: of the task's test split.
        size: value of the input gene: maximal number of tokens, or pixels along each side of an image.
        filled: whether every text is padded to that length.
    """
    if not isinstance(net, TextEncoder):
        return [{"input": np.random.default_rng(0).standard_normal((1, 3, size, size)).astype(np.float32)}]
    tokenizer = net.tokenizer()
    feeds: Feeds = []
    for text, count in _typical(folder, tokenizer):
        found = tokenizer.encode([text], None, size if filled else min(size, count))
        feeds.append(dict(zip(("input_ids", "attention_mask", "token_type_ids"), found, strict=True)))
    return feeds


def _typical(folder: Path, tokenizer: Tokenizer) -> list[tuple[str, int]]:
    """Texts and their lengths, shortest first."""
    with (folder / "validation.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    counts = tokenizer.counts(texts, None)
    order = np.argsort(counts, kind="stable")
    chosen = order[((np.arange(TEXTS) + 0.5) / TEXTS * len(order)).astype(int)]
    return [(texts[i], int(counts[i])) for i in chosen]
