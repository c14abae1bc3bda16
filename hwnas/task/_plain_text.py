"""Running text: the text files of each split, read whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwnas.errors import DataError
from hwnas.files import ends_in, files_in

ENDING = ".txt"

SPLITS: Mapping[str, Sequence[tuple[str, ...]]] = {
    "train": [("train",)],
    "validation": [("validation", "valid", "val", "dev"), ("test",)],
}
"""Names of a split's file, or of the folder with its files. Later groups of names count only where the first finds nothing."""

BETWEEN = "\n\n"
"""Separates the texts of two files."""


def read_texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text of each split that there is.

    Args:
        path: a file ``NAME.txt``, which is all of ``validation``; or a folder with ``train.txt`` and ``validation.txt``, or
            with folders of these names and ``.txt`` files in them; or a folder of ``.txt`` files without splits.

    Raises:
        DataError: the path does not exist or holds no text, a split is there twice, or a file is not UTF-8.
    """
    path = Path(path)
    if path.is_file():
        return {"validation": _text([path])}
    if not path.is_dir():
        raise DataError(f"data {path}", "there is no such file or folder", f"give a {ENDING} file, or a folder of them")
    found = {}
    for split, choices in SPLITS.items():
        files = next((files for names in choices if (files := _files(path, names))), [])
        if files:
            found[split] = _text(files)
    if not found and (files := files_in(path, ENDING)):
        found["validation"] = _text(files)
    if not found:
        raise DataError(
            f"data {path}", f"it holds no {ENDING} files", f"put train{ENDING} and validation{ENDING} there"
        )
    return found


def _files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    found: dict[str, list[Path]] = {}
    for name in names:
        found |= {file.name: [file] for file in files_in(folder, ENDING) if file.name.lower() == f"{name}{ENDING}"}
        found |= {f"{name}/": files} if (files := files_in(folder / name, ENDING)) else {}
    if len(found) > 1:
        raise DataError(f"data {folder}", f"it has both {' and '.join([*found][:2])}", "keep the one that is meant")
    return next(iter(found.values()), [])


def _text(files: list[Path]) -> str:
    return BETWEEN.join(_content(file) for file in files)


def _content(file: Path) -> str:
    if not ends_in(file, ENDING):
        raise DataError(f"data {file}", f"running text is a {ENDING} file", "rename it, if it is one")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"file {file}", "it is not text in UTF-8", "convert it") from error
    except OSError as error:
        raise DataError(f"file {file}", f"it cannot be read ({error.strerror or error})", "check the path") from error
