"""The image files of a folder: which splits and classes it has, and what in it is odd."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwnas.errors import DataError
from hwnas.files import ends_in
from hwnas.task._classes import class_names, class_order, class_shares
from hwnas.task._text_file import ENDINGS
from hwnas.wording import count_of, first_few

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"})

Sample = tuple[int, Path]
"""Class index and file."""


@dataclass(frozen=True)
class ImageFiles:
    """The image files of a folder.

    Attributes:
        labels: names of the classes, in the order of the logits.
        validation: images to measure on.
        training: images of ``train/``; empty if there is none.
        notes: sentences about the files: images per class, classes without images, files that are left out.
    """

    labels: tuple[str, ...]
    validation: Sequence[Sample]
    training: Sequence[Sample]
    notes: Sequence[str]

    @classmethod
    def of(cls, folder: Path, classes: int | None, labels: Sequence[str]) -> ImageFiles:
        """Look into a folder; the arguments are those of `ImageFolder`.

        Raises:
            DataError: the folder does not exist, has no images, or has other classes than the network.
        """
        if not folder.is_dir():
            rule = "it is a file, and no folder" if folder.is_file() else "there is no such folder"
            raise DataError(f"data {folder}", rule, "give the folder that holds val/ and train/")
        splits = [split for split in ("val", "valid", "validation") if (folder / split).is_dir()]
        if len(splits) > 1:
            rule = f"it has both {splits[0]}/ and {splits[1]}/"
            raise DataError(f"data {folder}", rule, "keep the one that is meant")
        validation, training = folder.joinpath(*splits), folder / "train"
        names = _class_names(validation, classes)
        ordered = _in_order(folder, names, labels) if labels else names
        trains = bool(splits) and training.is_dir()
        if trains:
            _refuse_other_classes(folder, {splits[0]: names, "train": _class_names(training, classes)})
        to_measure, strange = _samples(validation, ordered)
        to_learn, stranger = _samples(training, ordered) if trains else ([], [])
        classes_of_logits = tuple(labels or names)
        odd = _oddities(folder, classes_of_logits, to_learn, to_measure)
        return cls(classes_of_logits, to_measure, to_learn, [*odd, *_left_out(folder, [*stranger, *strange])])


def _class_names(folder: Path, classes: int | None) -> list[str]:
    entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    names = class_names([entry.name for entry in entries if entry.is_dir()])
    if not names:
        texts = any(ends_in(entry.name, *ENDINGS) for entry in entries)
        rule = "it holds texts, and the network is fed images" if texts else "it holds no class folders"
        raise DataError(f"data {folder}", rule, "lay images out as <class>/<image>.jpg")
    if "train" in names and any(path.is_dir() for path in (folder / "train").iterdir()):
        raise DataError(
            f"data {folder}", "it has train/ and no val/", "keep some images back as val/<class>/<image>.jpg"
        )
    if classes is None and len(names) < 2:
        raise DataError(f"data {folder}", f"its only class is {names[0]!r}", "give images of two classes or more")
    if classes is not None and len(names) != classes:
        rule = f"it has {count_of(len(names), 'class folder')}, and the network has {count_of(classes, 'class', 'classes')}"
        raise DataError(f"data {folder}", rule, "pass data of the network's classes, or train it on these")
    return names


def _refuse_other_classes(folder: Path, splits: Mapping[str, Sequence[str]]) -> None:
    for split, names in splits.items():
        for other, others in splits.items():
            lacking = [name for name in others if name not in names]
            if lacking:
                rule = f"{split}/ has no folder {first_few(lacking)}, and {other}/ has"
                raise DataError(f"data {folder}", rule, "make the class folders of both the same")


def _oddities(
    folder: Path, labels: Sequence[str], training: Sequence[Sample], validation: Sequence[Sample]
) -> Iterator[str]:
    """Sentences about the classes' shares of the training images, and about classes without images."""
    if training:
        count = f"{count_of(len(training), 'image file')} to learn from, {len(validation):,} to measure on, "
        count += count_of(len(labels), "class", "classes")
        yield f"{folder}: {count}: {class_shares(Counter(label for label, _ in training), labels)}"
    for use, samples in (("learn from", training), ("measure on", validation)):
        present = {label for label, _ in samples}
        missing = [name for label, name in enumerate(labels) if label not in present]
        if samples and missing:
            yield f"{folder} has no image of {first_few(missing)} to {use}"


def _in_order(folder: Path, names: Sequence[str], labels: Sequence[str]) -> Sequence[str]:
    """The class folders in the order of a network's classes."""
    ordered = class_order(names, labels)
    if ordered is not None:
        return ordered
    stray = next(name for name in names if name not in labels)
    known = ", ".join(labels[:6]) + (" ..." if len(labels) > 6 else "")
    rule = f"it has the class folder {stray!r}, and the network's classes are {known}"
    raise DataError(f"data {folder}", rule, "pass data of the network's classes, or train it on these")


def _samples(folder: Path, names: Sequence[str]) -> tuple[list[Sample], list[Path]]:
    """Images by class folder and name, and the other files in the class folders.

    Hidden files are neither, whatever their ending: macOS puts a ``._0.jpg`` beside each ``0.jpg``.

    Args:
        folder: with the class folders.
        names: class folders in the order of their indices.
    """
    found, others = [], []
    for label, name in enumerate(names):
        visible = [entry for entry in os.scandir(folder / name) if not entry.name.startswith(".")]
        for entry in sorted(visible, key=lambda entry: entry.name):
            if ends_in(entry.name, *EXTENSIONS):
                found.append((label, Path(entry.path)))
            else:
                others.append(Path(entry.path))
    if not found and others:
        rule = f"its class folders hold {first_few(path.relative_to(folder) for path in others)}"
        raise DataError(f"data {folder}", f"{rule}, and images end in {', '.join(sorted(EXTENSIONS))}", "convert them")
    if not found:
        raise DataError(f"data {folder}", "its class folders hold no images", "lay images out as <class>/<image>.jpg")
    return found, others


def _left_out(folder: Path, others: Sequence[Path]) -> Iterator[str]:
    """A sentence about files that the user may have taken for images."""
    if others:
        named = first_few(path.relative_to(folder) for path in others)
        yield f"{folder}: left out, because their names are not those of images: {named}"
