"""The description from which an encoder's class is made, read from a folder or from a file of ``hwnas train``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet._header import DESCRIPTION
from hwnas.supernet.hf._families import family_of
from hwnas.supernet.hf._family import Family
from hwnas.supernet.hf._inputs import ImageInput, TextInput
from hwnas.task import Preprocessing, TextColumns, Tokenizer


@dataclass(frozen=True)
class Carried:
    """An encoder without its weights.

    Attributes:
        config: text of its ``config.json``.
        tuned: whether it has a classification head.
        folder: the Hugging Face folder.
        widths: choices of the number of channels, up to all of them; empty for no choice.
    """

    config: str
    tuned: bool
    folder: str
    widths: tuple[int, ...] = field(default=(), kw_only=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration."""
        return dict(json.loads(self.config))

    def family(self) -> Family:
        """Sizes, inputs and names of tensors.

        Raises:
            SupernetError: the configuration is not supported.
        """
        family = family_of(self.settings, self.folder, tuned=self.tuned)
        return replace(family, encoder=replace(family.encoder, widths=self.widths))

    def text(self) -> str:
        """The description as JSON, for a file's metadata."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class CarriedImages(Carried):
    """An encoder of images without its weights.

    Attributes:
        preprocessing: of its images; None if the folder does not state it.
        shown_px: pixels along each side after preprocessing; 0 if unknown.
    """

    preprocessing: Preprocessing | None = None
    shown_px: int = 0

    def family(self) -> Family:
        """The family with the size of preprocessed images: DINOv2 has positions for 518 pixels, and is shown 224."""
        family = super().family()
        if not isinstance(family.fed, ImageInput) or not family.fed.patch <= self.shown_px < family.fed.size:
            return family
        return replace(family, fed=replace(family.fed, size=self.shown_px))


@dataclass(frozen=True)
class CarriedTexts(Carried):
    """An encoder of texts without its weights.

    Attributes:
        lengths: choices of the sequence length; None for all that its positions allow.
        columns: names of the columns in the data that it was trained on.
        rows: of the embedding table, if tokens share rows; 0 if each has its own.
        paired: whether it was trained on pairs of texts.
        tokenizer: None until it is read from the folder.
    """

    lengths: tuple[int, ...] | None = None
    columns: TextColumns = field(default_factory=TextColumns)
    rows: int = field(default=0, kw_only=True)
    paired: bool = field(default=False, kw_only=True)
    tokenizer: Tokenizer | None = None

    def family(self) -> Family:
        """The family with the remaining lengths and rows."""
        family = super().family()
        if not isinstance(family.fed, TextInput):
            return family
        return replace(family, fed=replace(family.fed, lengths=self.lengths or family.fed.lengths, rows=self.rows))

    def complete(self) -> CarriedTexts:
        """The description with its tokenizer.

        Raises:
            DataError: the folder has none.
        """
        return replace(self, tokenizer=self.tokenizer or _tokenizer(Path(self.folder).resolve()))

    def text(self) -> str:
        """The description as JSON, with its tokenizer."""
        return json.dumps(asdict(self.complete()))


def read_carried(metadata: Mapping[str, str], file: str) -> CarriedImages | CarriedTexts:
    """The description that `Carried.text` wrote.

    Raises:
        SupernetError: it is damaged.
    """
    try:
        stored = json.loads(metadata[DESCRIPTION])
        common = str(stored["config"]), bool(stored["tuned"]), str(stored["folder"])
        widths = tuple(int(width) for width in stored.get("widths", ()))  # older files have none
        if "preprocessing" in stored:
            preprocessing = _preprocessing(stored["preprocessing"])
            return CarriedImages(*common, preprocessing, int(stored.get("shown_px", 0)), widths=widths)
        lengths = stored["lengths"]
        return CarriedTexts(
            *common,
            tuple(int(length) for length in lengths) if lengths else None,
            TextColumns(**stored["columns"]),
            Tokenizer(**stored["tokenizer"]),
            widths=widths,
            rows=int(stored.get("rows", 0)),  # older files have none
            paired=bool(stored.get("paired", False)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SupernetError(f"supernet {file}", "its description is damaged", "copy it again") from error


def _preprocessing(stored: dict[str, Any] | None) -> Preprocessing | None:
    """The preprocessing from JSON, which has lists in place of tuples."""
    if stored is None:
        return None
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in stored.items()}
    return Preprocessing(**fields)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(folder)
