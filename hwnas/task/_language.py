"""Language modelling: windows of running text, in which each token is predicted from those before it."""

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
from hwnas.task._plain_text import read_texts
from hwnas.task._prompt import prompt
from hwnas.task._sampling import Sampling
from hwnas.task._task import InputsAt, Score, Scored, Specs, digest_of
from hwnas.task._tokenizer import Tokenizer
from hwnas.wording import count_of

LENGTH = 256
"""Tokens per window."""

LOGITS_BYTES = 2**27
"""Limit for the logits of one batch. With a vocabulary of 49,152 a single token has 200 kB of logits, and a comparison of two
networks holds three to four times as much."""

CALIBRATION_TOKENS = 2**14
"""Most tokens of a calibration. Each token is one prediction: with so many, a share of 95 % that agrees with fp32 is known to
0.2 points. All windows that a search may draw would take a large model hours."""

INPUT = "input_ids"


def perplexity(scored: Scored) -> float:
    """Exponential of the mean negative log-likelihood of the next tokens ``(n, t)``, by logits ``(n, t, vocabulary)``; NaN
    without tokens."""
    total, n = 0.0, 0
    for logits, tokens in scored:
        total += float(F.cross_entropy(logits.flatten(0, -2), tokens.flatten(), reduction="sum"))
        n += tokens.numel()
    return math.exp(min(total / n, 700.0)) if n else float("nan")


class LanguageModelling:
    """A user's text: a ``.txt`` file, or a folder with ``train.txt`` and ``validation.txt``, or with folders of these names.

    Windows follow one another without overlap, whether or not a sentence ends. The seed draws those to measure on.

    Args:
        path: a ``.txt`` file, or a folder.
        tokenizer: the network's.
        sampling: windows to draw, and to put into a batch: fewer if their logits would exceed ``LOGITS_BYTES``. From those for
            calibration int8 gets its ranges, and libraries their scores.
        vocabulary: logits per token.
        length: tokens per window, for networks whose input does not fix it.

    Attributes:
        has_training: whether there is a training split.
        n_available: number of windows to measure on.
        notes: sentences about what is odd.

    Raises:
        DataError: there is no text, or no more of it than one window.
    """

    metrics: Mapping[str, Score] = {"perplexity": perplexity}
    labels: tuple[str, ...] = ()
    noun = "windows"

    def __init__(
        self,
        path: str | os.PathLike[str],
        tokenizer: Tokenizer,
        sampling: Sampling,
        *,
        vocabulary: int,
        length: int = LENGTH,
    ) -> None:
        self.path, self.length, self.vocabulary, self._sampling = Path(path), length, vocabulary, sampling
        self.batch_size = sampling.batch_size
        texts = read_texts(path)
        self._tokens = {split: tokenizer.ids(text) for split, text in texts.items()}
        self.has_training = "train" in texts
        available = {split: len(self._windows(split, length)[0]) for split in self._tokens}
        self.n_available = available.get("validation", 0)
        fitting = self.windows_at_once(length)
        self.notes: Sequence[str] = (
            [
                f"batches have {count_of(fitting, 'window')}, not {self.batch_size}: logits of {vocabulary:,} words for {count_of(length, 'token')} each"
            ]
            if fitting < self.batch_size
            else []
        )

    def digest(self) -> str:
        """Digest of all tokens."""
        return digest_of({split: tokens.tolist() for split, tokens in self._tokens.items()})

    def windows_at_once(self, length: int) -> int:
        """Windows per batch."""
        return max(1, min(self.batch_size, LOGITS_BYTES // (4 * self.vocabulary * length)))

    def validation(self, specs: Specs) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """Batches of token ids ``(n, t)`` and of the next tokens ``(n, t)``, the same at every call."""
        for ids, following in self._batches("validation", self._length(specs), self._sampling.n_validation):
            yield prompt(specs, ids), following

    def calibration(self, specs: Specs) -> Iterator[Mapping[str, Tensor]]:
        """Batches of token ids of the training text, or else of the validation text: up to `CALIBRATION_TOKENS` tokens."""
        length = self._length(specs)
        most = min(self._sampling.n_calibration, math.ceil(CALIBRATION_TOKENS / length))
        for ids, _ in self._batches(self._training_split, length, most):
            yield prompt(specs, ids)

    def judged(self, length: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All windows for calibration: batches of token ids ``(n, t)`` and of the next tokens ``(n, t)``."""
        yield from self._batches(self._training_split, length, self._sampling.n_calibration)

    def unjudged(self, length: int, most: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Up to ``most`` windows of the same text that are not among :meth:`judged`, likewise.

        Raises:
            DataError: there are none.
        """
        split, judged = self._training_split, self._sampling.n_calibration
        if len(self._windows(split, length)[0]) <= judged:
            rule = f"its {split} text has no windows beside the {judged} that are scored on"
            raise DataError(f"data {self.path}", rule, "give more text, or score on fewer windows")
        yield from self._batches(split, length, most, judged)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean negative log-likelihood of the next tokens ``(n, t)``, by logits ``(n, t, vocabulary)``."""
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of the training text; one smaller batch if it does not fill any."""
        return max(1, len(self._windows(self._training_split, self.length)[0]) // self.windows_at_once(self.length))

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """Windows drawn without repetition within an epoch."""
        ids, following = self._windows(self._training_split, self.length)
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(ids))
        n = self.windows_at_once(self.length)
        chosen = order[position * n : (position + 1) * n]
        rows = torch.from_numpy(ids[chosen])
        return lambda specs: prompt(specs, rows), torch.from_numpy(following[chosen])

    @property
    def _training_split(self) -> str:
        return "train" if self.has_training else "validation"

    def _length(self, specs: Specs) -> int:
        return specs[INPUT].shape[0] if INPUT in specs else self.length

    def _batches(self, split: str, length: int, most: int, after: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        ids, following = self._windows(split, length)
        chosen = np.sort(np.random.default_rng(self._sampling.seed).permutation(len(ids))[after : after + most])
        n = self.windows_at_once(length)
        for start in range(0, len(chosen), n):
            rows = chosen[start : start + n]
            yield torch.from_numpy(ids[rows]), torch.from_numpy(following[rows])

    def _windows(self, split: str, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``(n, length)`` tokens of all windows, and the next token of each."""
        if split not in self._tokens:
            raise DataError(f"data {self.path}", f"it has no {split}.txt", f"keep some of its text back as {split}.txt")
        tokens = self._tokens[split]
        n = (len(tokens) - 1) // length
        if n < 1:
            rule = f"its {split} text has {count_of(len(tokens), 'token')}, and a window needs {length + 1:,}"
            raise DataError(f"data {self.path}", rule, "give more text, or shorter windows")
        return tokens[: n * length].reshape(n, length), tokens[1 : n * length + 1].reshape(n, length)
