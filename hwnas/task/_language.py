"""Language modelling: running text in windows of tokens, each token to be predicted from those before it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError
from hwnas.quantity import count_of
from hwnas.task._plain_text import read_texts
from hwnas.task._prompt import prompt
from hwnas.task._task import InputsAt, Score, Scored, Specs, digest_of
from hwnas.task._tokenizer import Tokenizer

LENGTH = 256
"""Tokens of a window."""

LOGITS_BYTES = 2**27
"""Of the logits of one batch: a vocabulary of 49,152 words makes 200 kB of a single token. What compares two networks holds
three or four times as much."""

CALIBRATION_TOKENS = 2**14
"""Shown at most where a precision is compared with fp32: each is a decision, and a share of 95 % of so many is known to 0.2
points. All windows that a search may draw would take a large model hours."""

INPUT = "input_ids"


def perplexity(scored: Scored) -> float:
    """Exponential of the mean negative log-likelihood of the next token, from logits ``(n, t, vocabulary)`` and tokens
    ``(n, t)``; NaN of none."""
    total, n = 0.0, 0
    for logits, tokens in scored:
        total += float(F.cross_entropy(logits.flatten(0, -2), tokens.flatten(), reduction="sum"))
        n += tokens.numel()
    return math.exp(min(total / n, 700.0)) if n else float("nan")


class LanguageModelling:
    """Text of the user's: a ``.txt`` file, or a folder; see :func:`hwnas.task.read_texts`.

    Windows follow one another without overlap, wherever sentences end; those to measure on are drawn from the seed.

    Args:
        path: of the text.
        tokenizer: of the network.
        vocabulary: how many logits a token has.
        length: tokens of a window, where the network that is fed does not say.
        n_windows: windows to measure on; all if there are fewer.
        n_calibration: windows that show int8 its ranges, and libraries their scores, likewise.
        batch_size: windows at once; lowered where the logits of so many do not fit in ``LOGITS_BYTES``.
        seed: of both draws.

    Attributes:
        has_training: whether there is a training split.
        n_available: how many windows there are to measure on.
        notes: what is odd, in words.

    Raises:
        DataError: no text, or less than a window and a token.
    """

    metrics: Mapping[str, Score] = {"perplexity": perplexity}
    labels: tuple[str, ...] = ()
    noun = "windows"

    def __init__(
        self,
        path: str | os.PathLike[str],
        tokenizer: Tokenizer,
        *,
        vocabulary: int,
        length: int = LENGTH,
        n_windows: int,
        n_calibration: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.path, self.length, self.seed = Path(path), length, seed
        self.n_windows, self._n_calibration = n_windows, n_calibration
        self.batch_size, self.vocabulary = batch_size, vocabulary
        texts = read_texts(path)
        self._tokens = {split: tokenizer.ids(text) for split, text in texts.items()}
        self.has_training = "train" in texts
        available = {split: len(self._windows(split, length)[0]) for split in self._tokens}
        self.n_available = available.get("validation", 0)
        fitting = self.windows_at_once(length)
        self.notes: Sequence[str] = (
            [
                f"batches have {count_of(fitting, 'window')}, not {batch_size}: logits of {vocabulary:,} words for {count_of(length, 'token')} each"
            ]
            if fitting < batch_size
            else []
        )

    def digest(self) -> str:
        """Of all tokens."""
        return digest_of({split: tokens.tolist() for split, tokens in self._tokens.items()})

    def windows_at_once(self, length: int) -> int:
        """Windows of a batch."""
        return max(1, min(self.batch_size, LOGITS_BYTES // (4 * self.vocabulary * length)))

    def validation(self, specs: Specs) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """Batches of token ids ``(n, t)`` and of the tokens after each, the same at every call."""
        for ids, following in self._batches("validation", self._length(specs), self.n_windows):
            yield prompt(specs, ids), following

    def calibration(self, specs: Specs) -> Iterator[Mapping[str, Tensor]]:
        """Batches of token ids of the training text, or where there is none of the other one: up to `CALIBRATION_TOKENS`."""
        length = self._length(specs)
        most = min(self._n_calibration, math.ceil(CALIBRATION_TOKENS / length))
        for ids, _ in self._batches(self._learned, length, most):
            yield prompt(specs, ids)

    def judged(self, length: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The windows of :meth:`calibration`: token ids ``(n, t)``, and the tokens after each."""
        yield from self._batches(self._learned, length, self._n_calibration)

    def unjudged(self, length: int, most: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Up to ``most`` other windows of that text, likewise.

        Raises:
            DataError: there are none.
        """
        if len(self._windows(self._learned, length)[0]) <= self._n_calibration:
            rule = f"its {self._learned} text has no windows beside those that are scored on ({self._n_calibration})"
            raise DataError(f"data {self.path}", rule, "give more text, or score on fewer windows")
        yield from self._batches(self._learned, length, most, self._n_calibration)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood of the tokens ``(n, t)`` that follow, from logits ``(n, t, vocabulary)``."""
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of the training text; one where there is less than that."""
        return max(1, len(self._windows(self._learned, self.length)[0]) // self.windows_at_once(self.length))

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """Windows without repetition within an epoch."""
        ids, following = self._windows(self._learned, self.length)
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(ids))
        n = self.windows_at_once(self.length)
        chosen = order[position * n : (position + 1) * n]
        rows = torch.from_numpy(ids[chosen])
        return lambda specs: prompt(specs, rows), torch.from_numpy(following[chosen])

    @property
    def _learned(self) -> str:
        return "train" if self.has_training else "validation"

    def _length(self, specs: Specs) -> int:
        return specs[INPUT].shape[0] if INPUT in specs else self.length

    def _batches(self, split: str, length: int, most: int, after: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        ids, following = self._windows(split, length)
        chosen = np.sort(np.random.default_rng(self.seed).permutation(len(ids))[after : after + most])
        n = self.windows_at_once(length)
        for start in range(0, len(chosen), n):
            rows = chosen[start : start + n]
            yield torch.from_numpy(ids[rows]), torch.from_numpy(following[rows])

    def _windows(self, split: str, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``(n, length)`` tokens of every window, and those that follow each."""
        if split not in self._tokens:
            raise DataError(f"data {self.path}", f"it has no {split}.txt", f"keep some of its text back as {split}.txt")
        tokens = self._tokens[split]
        n = (len(tokens) - 1) // length
        if n < 1:
            rule = f"its {split} text has {count_of(len(tokens), 'token')}, and a window of {length:,} needs one more than that"
            raise DataError(f"data {self.path}", rule, "give more text, or shorter windows")
        return tokens[: n * length].reshape(n, length), tokens[1 : n * length + 1].reshape(n, length)
