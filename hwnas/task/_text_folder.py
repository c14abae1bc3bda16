"""Texts to classify: a folder with ``train`` and ``validation``, each as CSV, TSV or JSON lines, plain or gzip."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError, UnknownNameError
from hwnas.files import files_in
from hwnas.task._classes import class_indices, class_names, class_shares
from hwnas.task._sampling import Sampling
from hwnas.task._scores import SCORES
from hwnas.task._task import Inputs, InputsAt, Score, Specs, digest_of, named_inputs
from hwnas.task._text_file import ENDINGS, LabelledTexts, TextColumns, read_labelled_texts
from hwnas.task._tokenizer import Tokenizer
from hwnas.wording import count_of, first_few

SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev")}

MOST_LENGTHS = 3
"""Most choices of sequence length in a search."""

MOST_REPLACED = 0.5
"""Largest share of a text's tokens that are replaced for subnets that learn from a teacher."""

POOL = 16
"""Training batches whose texts are sorted by length together; half of a random batch of questions would be padding."""

_LAYOUT = "give a folder that holds train.csv and validation.csv"

Known = tuple[Sequence[str], int]
"""Names of a head's classes, empty if they are unknown, and their number."""


class TextFolder:
    """A folder with the files of two splits. ``train`` may be absent where nothing is trained.

    Args:
        folder: see above.
        tokenizer: the network's.
        head: the classes of a trained head; None takes those of the data.
        sampling: texts to draw, and to put into a batch; int8 gets its ranges from those for calibration.
        metric: ``accuracy``, ``f1`` or ``mcc``.
        columns: names of the files' columns.

    Attributes:
        labels: names of the classes, in the order of the logits.
        metrics: the score, by its name.
        has_training: whether there is a training split.
        has_pairs: whether each text has a second one.
        n_available: number of validation texts in the folder.
        notes: sentences about the data: texts per class, rows that are left out, classes without validation texts.

    Raises:
        DataError: the folder or a split does not exist, a file is unreadable, or labels do not fit.
        UnknownNameError: there is no such metric.
    """

    noun = "texts"

    def __init__(
        self,
        folder: str | os.PathLike[str],
        tokenizer: Tokenizer,
        head: Known | None,
        sampling: Sampling,
        *,
        metric: str,
        columns: TextColumns,
    ) -> None:
        self.folder, self.tokenizer, self.columns = Path(folder), tokenizer, columns
        self.batch_size = sampling.batch_size
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
        self.has_pairs = splits["validation"].pairs is not None
        self.labels = _labels(self.folder, splits, head)
        self.notes: Sequence[str] = [*_oddities(splits, self.labels)]
        rng = np.random.default_rng(sampling.seed)
        texts, training = splits["validation"], splits.get("train")
        self.n_available = len(texts.texts)
        measured = _Split.of(texts, self.labels)
        drawn = measured.drawn(sampling.n_validation, rng)
        self._training = _Split.of(training, self.labels) if training is not None else None
        if self._training is not None:
            count = f"{count_of(len(self._training.texts), 'text')} to learn from, {self.n_available:,} to measure on"
            shares = class_shares(Counter(self._training.labels.tolist()), self.labels)
            self.notes = [f"{folder}: {count}, {len(self.labels)} classes: {shares}", *self.notes]
        self._calibration = (self._training or measured).drawn(sampling.n_calibration, rng)
        self._validation = drawn.at(tokenizer.counts(drawn.texts, drawn.pairs).argsort(kind="stable").tolist())

    def digest(self) -> str:
        """Digest of the drawn texts and their classes."""
        drawn = [self._validation, self._calibration]
        return digest_of([(each.texts, each.pairs, each.labels.tolist()) for each in drawn])

    def lengths(self, choices: Sequence[int], cut_pct: float) -> tuple[tuple[int, ...], float]:
        """Sequence lengths worth a search, and the share of texts that the longest of them cuts, in percent.

        The longest is the shortest choice that cuts at most ``cut_pct`` percent of the texts, or else the longest choice;
        with it come the next shorter choices.
        """
        split = self._validation
        counts = self._training_counts if self.has_training else self.tokenizer.counts(split.texts, split.pairs)
        most = float(np.quantile(counts, 1 - cut_pct / 100))
        longest = next((length for length in choices if length >= most), choices[-1])
        kept = [length for length in choices if length <= longest]
        return tuple(kept[-MOST_LENGTHS:]), 100 * float(np.mean(counts > longest))

    def uses(self) -> NDArray[np.int64]:
        """``(ids,)`` occurrences of each token in the training texts."""
        split = self._training_split()
        return self.tokenizer.uses(split.texts, split.pairs)

    def calibration(self, specs: Specs) -> Iterator[Mapping[str, Tensor]]:
        """Batches of token ids and masks ``(n, length)``, the same at every call."""
        yield from (inputs for inputs, _ in self._batches(self._calibration, specs))

    def validation(self, specs: Specs) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """Batches with class indices ``(n,)``, the same at every call. They go from short to long texts: less padding."""
        yield from self._batches(self._validation, specs)

    @property
    def n_calibration(self) -> int:
        """Calibration texts drawn."""
        return len(self._calibration.texts)

    @property
    def n_validation(self) -> int:
        """Validation texts drawn."""
        return len(self._validation.texts)

    def validation_of(self, specs: Specs, samples: Sequence[int]) -> Iterator[tuple[Mapping[str, Tensor], Tensor]]:
        """The validation texts at these positions."""
        yield from self._batches(self._validation.at(samples), specs)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches of the training split; one smaller batch if it does not fill any, or if there is none."""
        # Python 3.11 reads every property to see whether this is `UserData`, also without a training split.
        n_texts = len(self._training.texts) if self._training is not None else 0
        return max(1, n_texts // self.batch_size)

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:
        """Texts of similar length, drawn without repetition within an epoch.

        Raises:
            DataError: there is no training split.
        """
        split = self._training_split()
        epoch, position = divmod(step, self.steps_per_epoch)
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(split.texts))[: self.steps_per_epoch * self.batch_size]
        pools = np.arange(len(order)) // (POOL * self.batch_size)
        alike = order[np.lexsort((self._training_counts[order], pools))].reshape(self.steps_per_epoch, -1)
        chosen = split.at(rng.permutation(alike)[position].tolist())
        return self._rendered(chosen), torch.from_numpy(chosen.labels)

    def altered(self, inputs: Inputs, step: int, seed: int) -> Inputs:
        """Texts in which tokens are replaced by those of other texts at the same positions. The share differs from text to text.

        Small subnets that learn from a teacher need more texts than there are labelled ones, and a teacher can label any
        (TinyBERT, Jiao et al. 2020, arXiv:1909.10351, which replaces words by similar ones).
        """
        named = named_inputs(inputs)
        ids = named["input_ids"].numpy()
        replaced = _mixed(ids, self.tokenizer.special_ids, np.random.default_rng([seed, step]))
        return {**named, "input_ids": torch.from_numpy(replaced)}

    @cached_property
    def _training_counts(self) -> NDArray[np.int64]:
        """``(n,)`` tokens of each training text."""
        split = self._training_split()
        return self.tokenizer.counts(split.texts, split.pairs)

    def _training_split(self) -> _Split:
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
            ids, mask, segments = self.tokenizer.encode(batch.texts, batch.pairs, specs["input_ids"].shape[0])
            named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
            return {name: torch.from_numpy(named[name]) for name in specs}

        return render


@dataclass(frozen=True)
class _Split:
    """Texts with class indices ``(n,)``."""

    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, texts: LabelledTexts, labels: Sequence[str]) -> _Split:
        """The texts of a file, with the indices of their labels."""
        index = class_indices(labels)
        return cls(texts.texts, texts.pairs, np.array([index[label] for label in texts.labels], dtype=np.int64))

    def at(self, chosen: Sequence[int]) -> _Split:
        """The texts at these positions, in this order."""
        pairs = None if self.pairs is None else tuple(self.pairs[i] for i in chosen)
        return _Split(tuple(self.texts[i] for i in chosen), pairs, self.labels[list(chosen)])

    def drawn(self, n: int, rng: np.random.Generator) -> _Split:
        """``n`` random texts; all of them, in random order, if there are fewer."""
        return self.at(rng.permutation(len(self.texts))[:n].tolist())


def _mixed(ids: NDArray[np.int64], special: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """``(n, length)`` ids, of which some are another row's at the same position. Draws do not depend on the length."""
    n, length = ids.shape
    where, whose = rng.spawn(2)
    hit = rng.uniform(0, MOST_REPLACED, (n, 1)) > where.random((length, n)).T
    others = ids[whose.integers(n, size=(length, n)).T, np.arange(length)]
    return np.where(hit & ~np.isin(ids, special) & ~np.isin(others, special), others, ids)


def _file(folder: Path, names: Sequence[str]) -> Path | None:
    wanted, files = [f"{name}{ending}" for name in names for ending in ENDINGS], files_in(folder, *ENDINGS)
    found = [file for name in wanted for file in files if file.name.lower() == name]
    if len(found) > 1:
        rule = f"it has both {found[0].name} and {found[1].name}"
        raise DataError(f"data {folder}", rule, "keep the one that is meant")
    return found[0] if found else None


def _without_validation(folder: Path, *, trains: bool) -> tuple[str, str]:
    """Rule and remedy for a folder without a validation file."""
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
    """Refuse second texts in one split alone: the network would learn from pairs and be measured on single texts."""
    paired = [texts.path.name for texts in splits.values() if texts.pairs is not None]
    single = [texts.path.name for texts in splits.values() if texts.pairs is None]
    if paired and single:
        rule = f"{paired[0]} has second texts, and {single[0]} has none"
        raise DataError(f"data {folder}", rule, "give both files that column, or none")


def _labels(folder: Path, splits: Mapping[str, LabelledTexts], head: Known | None) -> tuple[str, ...]:
    """The classes: a trained head's, or else those of the training texts (of the validation texts if there are none)."""
    found = {split: class_names(texts.labels) for split, texts in splits.items()}
    if head is None:
        names = found.get("train", found["validation"])
        strange = [label for label in found["validation"] if label not in names]
        if strange:
            rule = f"its validation texts have the label {strange[0]!r}, which no training text has"
            raise DataError(f"data {folder}", rule, "correct the label, or add texts with it to train.csv")
        if len(names) < 2:
            raise DataError(f"data {folder}", f"all its labels are {names[0]!r}", "give texts of two classes or more")
        return tuple(names)
    labelled, classes = head
    known = tuple(labelled) or tuple(str(i) for i in range(classes))
    index = class_indices(known)
    for split, labels in found.items():
        strange = [label for label in labels if label not in index]
        if strange:
            listed = ", ".join(known[:6]) + (" ..." if len(known) > 6 else "")
            rule = f"its {split} texts have the label {strange[0]!r}, and the network's classes are {listed}"
            raise DataError(f"data {folder}", rule, "pass data of the network's classes, or train it on these")
    return known


def _oddities(splits: Mapping[str, LabelledTexts], labels: Sequence[str]) -> Iterator[str]:
    for texts in splits.values():
        if texts.n_empty:
            yield f"{texts.path}: left out {count_of(texts.n_empty, 'row')} without text or label"
    measured = splits["validation"]
    if measured.pairs is None and measured.unread:
        unread = first_few([repr(name) for name in measured.unread])
        yield f"{measured.path}: texts in {unread} are not read; --pair-column names the column of second texts"
    if "train" in splits:
        index = class_indices(labels)
        present = {index[label] for label in measured.labels}
        missing = [label for i, label in enumerate(labels) if i not in present]
        if missing:
            yield f"{measured.path} has no text of {first_few(missing)}: nothing is measured on them"
