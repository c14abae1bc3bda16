"""Texts to classify: ``train.csv`` and ``validation.csv`` of a folder, or TSV, or JSON lines, plain or gzip."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError, UnknownNameError
from hwnas.files import files_in
from hwnas.quantity import count_of, first_few
from hwnas.task._classes import class_indices, class_names, class_shares
from hwnas.task._scores import SCORES
from hwnas.task._task import InputsAt, Score, Specs, digest_of
from hwnas.task._text_file import ENDINGS, LabelledTexts, TextColumns, read_labelled_texts
from hwnas.task._tokenizer import Tokenizer

SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev")}

MOST_LENGTHS = 3
"""Choices of the sequence length that a search is given."""

POOL = 16
"""Batches of training whose texts are sorted by length together: half of a random batch of questions is padding."""

_LAYOUT = "give a folder that holds train.csv and validation.csv"

Known = tuple[Sequence[str], int]
"""Names of a head's classes, empty if they have none, and how many there are."""


class TextFolder:
    """A folder with the files of two splits; ``train`` may be absent where nothing is trained.

    Args:
        folder: see above.
        tokenizer: of the network.
        head: the classes of a trained head; None takes those of the data.
        metric: what is measured: ``accuracy``, ``f1`` or ``mcc``.
        columns: of the files.
        n_texts: validation texts to use, drawn from the seed; all if there are fewer.
        n_calibration: training texts that show int8 its ranges, likewise.
        batch_size: texts per batch.
        seed: of both draws.

    Attributes:
        labels: names of the classes, in the order of the logits.
        metrics: the score.
        has_training: whether there is a training split.
        n_available: validation texts there are.
        notes: what is odd about the data, in words: texts that are empty, classes that one split lacks.

    Raises:
        DataError: no such folder or split, unreadable files, or labels that do not fit.
        UnknownNameError: no such metric.
    """

    noun = "texts"

    def __init__(
        self,
        folder: str | os.PathLike[str],
        tokenizer: Tokenizer,
        head: Known | None,
        *,
        metric: str,
        columns: TextColumns,
        n_texts: int,
        n_calibration: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.folder, self.tokenizer, self.columns, self.batch_size = Path(folder), tokenizer, columns, batch_size
        if not self.folder.is_dir():
            rule = "it is a file, and no folder" if self.folder.is_file() else "there is no such folder"
            raise DataError(f"data {folder}", rule, _LAYOUT)
        if metric not in SCORES:
            raise UnknownNameError("metric", metric, SCORES)
        self.metrics: Mapping[str, Score] = {metric: SCORES[metric]}
        files = {split: _file(self.folder, names) for split, names in SPLITS.items()}
        if files["validation"] is None:
            raise DataError(f"data {folder}", *_without_validation(self.folder, trains=files["train"] is not None))
        splits = {split: read_labelled_texts(file, columns) for split, file in files.items() if file is not None}
        _refuse_lone_pairs(folder, splits)
        self.has_training = "train" in splits
        self.labels = _labels(self.folder, splits, head)
        self.notes: Sequence[str] = [*_oddities(splits, self.labels)]
        rng = np.random.default_rng(seed)
        texts, training = splits["validation"], splits.get("train")
        self.n_available = len(texts.texts)
        drawn = _Split(texts, self.labels).drawn(n_texts, rng)
        self._training = _Split(training, self.labels) if training is not None else None
        if self._training is not None:
            count = f"{count_of(len(self._training.texts), 'text')} to learn from, {self.n_available:,} to measure on"
            shares = class_shares(Counter(self._training.labels.tolist()), self.labels)
            self.notes = [f"{folder}: {count}, {len(self.labels)} classes: {shares}", *self.notes]
        self._calibration = (self._training or drawn).drawn(n_calibration, rng)
        self._validation = drawn.at(tokenizer.counts(drawn.texts, drawn.pairs).argsort(kind="stable").tolist())

    def digest(self) -> str:
        """Of the texts drawn and their classes."""
        drawn = [self._validation, self._calibration]
        return digest_of([(each.texts, each.pairs, each.labels.tolist()) for each in drawn])

    def lengths(self, choices: Sequence[int], cut_pct: float) -> tuple[tuple[int, ...], float]:
        """Those lengths that a search can trade off: the shortest that cuts at most ``cut_pct`` % of texts, or else the longest
        there is, and shorter ones; and what share of the texts the longest of these cuts, in percent."""
        split = self._validation
        counts = self._learned_counts if self.has_training else self.tokenizer.counts(split.texts, split.pairs)
        most = float(np.quantile(counts, 1 - cut_pct / 100))
        longest = next((length for length in choices if length >= most), choices[-1])
        kept = [length for length in choices if length <= longest]
        return tuple(kept[-MOST_LENGTHS:]), 100 * float(np.mean(counts > longest))

    def uses(self) -> NDArray[np.int64]:
        """``(ids,)`` how often each token occurs in the texts to learn from."""
        split = self._learned()
        return self.tokenizer.uses(split.texts, split.pairs)

    def calibration(self, specs: Specs) -> Iterator[Mapping[str, Tensor]]:
        """Batches of token ids and masks ``(n, length)``, the same at every call."""
        yield from (inputs for inputs, _ in self._batches(self._calibration, specs))

    def validation(self, specs: Specs) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """Batches with class indices ``(n,)``, the same at every call, from short texts to long ones: little of them is padding."""
        yield from self._batches(self._validation, specs)

    @property
    def n_calibration(self) -> int:
        """Texts drawn."""
        return len(self._calibration.texts)

    @property
    def n_validation(self) -> int:
        """Texts drawn."""
        return len(self._validation.texts)

    def validation_of(self, specs: Specs, samples: Sequence[int]) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """Some of them."""
        yield from self._batches(self._validation.at(samples), specs)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of the training split; one where there are fewer texts than that, or none."""
        # It is read without a training split, too: Python 3.11 asks for every property to tell whether this is `UserData`.
        n_texts = len(self._training.texts) if self._training is not None else 0
        return max(1, n_texts // self.batch_size)

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """Texts of like length, without repetition within an epoch.

        Raises:
            DataError: there is no training split.
        """
        split = self._learned()
        epoch, position = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(split.texts))[: self.steps_per_epoch * self.batch_size]
        pools = np.arange(len(order)) // (POOL * self.batch_size)
        alike = order[np.lexsort((self._learned_counts[order], pools))].reshape(self.steps_per_epoch, -1)
        chosen = split.at(rng.permutation(alike)[position].tolist())
        return self._rendered(chosen), torch.from_numpy(chosen.labels)

    @cached_property
    def _learned_counts(self) -> NDArray[np.int64]:
        """``(n,)`` tokens of the texts to learn from."""
        split = self._learned()
        return self.tokenizer.counts(split.texts, split.pairs)

    def _learned(self) -> _Split:
        if self._training is None:
            raise DataError(f"data {self.folder}", "it has no train.csv to learn from", "add one beside validation.csv")
        return self._training

    def _batches(self, split: _Split, specs: Specs) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        for start in range(0, len(split.texts), self.batch_size):
            batch = split.at(range(start, min(start + self.batch_size, len(split.texts))))
            yield self._rendered(batch)(specs), torch.from_numpy(batch.labels)

    def _rendered(self, batch: _Split) -> Callable[[Specs], Mapping[str, Tensor]]:
        def render(specs: Specs) -> Mapping[str, Tensor]:
            if "input_ids" not in specs:
                rule = f"it holds texts, and the network is fed {', '.join(specs)}"
                raise DataError(f"data {self.folder}", rule, "pass data of its kind")
            found = self.tokenizer.encode(batch.texts, batch.pairs, specs["input_ids"].shape[0])
            named = dict(
                zip(("input_ids", "attention_mask", "token_type_ids"), map(torch.from_numpy, found), strict=True)
            )
            return {name: named[name] for name in specs}

        return render


class _Split:
    """Texts with class indices ``(n,)``."""

    def __init__(self, texts: LabelledTexts, labels: Sequence[str]) -> None:
        index = class_indices(labels)
        self.texts, self.pairs = texts.texts, texts.pairs
        self.labels = np.array([index[label] for label in texts.labels], dtype=np.int64)

    def at(self, chosen: Sequence[int]) -> _Split:
        """Some of them, in this order."""
        part = object.__new__(_Split)
        part.texts = tuple(self.texts[i] for i in chosen)
        part.pairs = None if self.pairs is None else tuple(self.pairs[i] for i in chosen)
        part.labels = self.labels[list(chosen)]
        return part

    def drawn(self, n: int, rng: np.random.Generator) -> _Split:
        """``n`` of them at random; all, in another order, if there are fewer."""
        return self.at(rng.permutation(len(self.texts))[:n].tolist())


def _file(folder: Path, names: Sequence[str]) -> Path | None:
    wanted = [f"{name}{ending}" for name in names for ending in ENDINGS]
    found = [file for name in wanted for file in files_in(folder, *ENDINGS) if file.name.lower() == name]
    if len(found) > 1:
        rule = f"it has both {found[0].name} and {found[1].name}"
        raise DataError(f"data {folder}", rule, "keep the one that is meant")
    return found[0] if found else None


def _without_validation(folder: Path, *, trains: bool) -> tuple[str, str]:
    """What is wrong with a folder that has nothing to measure on, and what to do."""
    rule = f"it has no validation{', '.join(ENDINGS[:3])}"
    if trains:
        return rule, "keep some rows of train.csv back as it"
    other = next(iter(files_in(folder, ".parquet", ".json")), None)
    if other is not None:
        return f"{rule}, but {other.name}", "write it as CSV, by read_parquet or read_json and to_csv of pandas"
    if any(path.is_dir() for path in folder.iterdir()):
        return "it holds folders, as of images, and the network is fed texts", _LAYOUT
    return rule, _LAYOUT


def _refuse_lone_pairs(folder: str | os.PathLike[str], splits: Mapping[str, LabelledTexts]) -> None:
    """Refuse second texts of one split alone: what is learned from pairs would be measured on single texts."""
    for texts in splits.values():
        lone = next(
            (other.path.name for other in splits.values() if texts.pairs is not None and other.pairs is None), None
        )
        if lone is not None:
            rule = f"{texts.path.name} has second texts, and {lone} has none"
            raise DataError(f"data {folder}", rule, "give both files that column, or none")


def _labels(folder: Path, splits: Mapping[str, LabelledTexts], head: Known | None) -> tuple[str, ...]:
    """The classes: the head's, if it is trained, or else those of the texts to learn from."""
    found = {split: class_names(texts.labels) for split, texts in splits.items()}
    if head is None:
        learned = found.get("train", found["validation"])
        strange = [label for label in found["validation"] if label not in learned]
        if strange:
            rule = f"its validation texts have the label {strange[0]!r}, which no training text has"
            raise DataError(f"data {folder}", rule, "correct the label, or add texts with it to train.csv")
        if len(learned) < 2:
            raise DataError(f"data {folder}", f"all its labels are {learned[0]!r}", "give texts of two classes or more")
        return tuple(learned)
    names, classes = head
    known = tuple(names) or tuple(str(i) for i in range(classes))
    index = class_indices(known)
    for split, labels in found.items():
        strange = [label for label in labels if label not in index]
        if strange:
            listed = ", ".join(known[:6]) + (" ..." if len(known) > 6 else "")
            rule = f"its {split} texts have the label {strange[0]!r}, and the network tells {listed} apart"
            raise DataError(f"data {folder}", rule, "pass data of the network's classes, or train it on these")
    return known


def _oddities(splits: Mapping[str, LabelledTexts], labels: Sequence[str]) -> Iterator[str]:
    for texts in splits.values():
        if texts.n_empty:
            yield f"{texts.path}: left out {count_of(texts.n_empty, 'row')} without text or label"
    if "train" in splits:
        index = class_indices(labels)
        present = {index[label] for label in splits["validation"].labels}
        missing = [label for i, label in enumerate(labels) if i not in present]
        if missing:
            yield f"{splits['validation'].path} has no text of {first_few(missing)}: nothing is measured on them"
