"""What an encoder's class is made from: a folder's description, or the same within a file that ``hwnas train`` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet._header import ENCODER
from hwnas.supernet.hf._families import family_of
from hwnas.supernet.hf._family import Family
from hwnas.supernet.hf._inputs import ImageInput, TextInput
from hwnas.task import Preprocessing, TextColumns, Tokenizer


@dataclass(frozen=True)
class Carried:
    """All of an encoder but its weights and what belongs to its kind of data.

    Attributes:
        config: text of its ``config.json``.
        tuned: whether it came with a classification head.
        folder: that it came from.
        widths: channels that subnets choose from, up to all of them; empty for no choice.
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
        """Sizes and names of tensors.

        Raises:
            SupernetError: it is not supported.
        """
        family = family_of(self.settings, self.folder, tuned=self.tuned)
        return replace(family, encoder=replace(family.encoder, widths=self.widths))

    def text(self) -> str:
        """JSON, for a file's metadata."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class CarriedImages(Carried):
    """Of an encoder of images.

    Attributes:
        preprocessing: what it was trained to see; None where the folder does not say.
        shown_px: along the sides of an image after it; 0 where that is not known.
    """

    preprocessing: Preprocessing | None = None
    shown_px: int = 0

    def family(self) -> Family:
        """For images as large as they are shown: DINOv2 has positions for 518 pixels, and sees 224."""
        family = super().family()
        if not isinstance(family.fed, ImageInput) or not family.fed.patch <= self.shown_px < family.fed.size:
            return family
        return replace(family, fed=replace(family.fed, size=self.shown_px))


@dataclass(frozen=True)
class CarriedTexts(Carried):
    """Of an encoder of texts.

    Attributes:
        lengths: choices of the sequence length; None for all that its positions allow.
        columns: of the files that it was trained on.
        rows: of the table of tokens, where several tokens share one; 0 where each has its own.
        tokenizer: what turns texts into ids; None where that is still to be read from the folder.
    """

    lengths: tuple[int, ...] | None = None
    columns: TextColumns = field(default_factory=TextColumns)
    rows: int = field(default=0, kw_only=True)
    tokenizer: Tokenizer | None = None

    def family(self) -> Family:
        """With the lengths and the rows that are left."""
        family = super().family()
        if not isinstance(family.fed, TextInput):
            return family
        return replace(family, fed=replace(family.fed, lengths=self.lengths or family.fed.lengths, rows=self.rows))

    def complete(self) -> CarriedTexts:
        """The same with its tokenizer.

        Raises:
            DataError: the folder has none.
        """
        return (
            self
            if self.tokenizer is not None
            else replace(self, tokenizer=_tokenizer(self.folder, Path(self.folder).resolve()))
        )

    def text(self) -> str:
        """With its tokenizer."""
        return json.dumps(asdict(self.complete()))


def read_carried(metadata: Mapping[str, str], file: str) -> CarriedImages | CarriedTexts:
    """What `Carried.text` wrote.

    Raises:
        SupernetError: something else.
    """
    try:
        told = json.loads(metadata[ENCODER])
        common = str(told["config"]), bool(told["tuned"]), str(told["folder"])
        widths = tuple(int(width) for width in told.get("widths", ()))  # files of before have none
        if "preprocessing" in told:
            return CarriedImages(
                *common, _preprocessing(told["preprocessing"]), int(told.get("shown_px", 0)), widths=widths
            )
        lengths = told["lengths"]
        return CarriedTexts(
            *common,
            tuple(int(length) for length in lengths) if lengths else None,
            TextColumns(**told["columns"]),
            Tokenizer(**told["tokenizer"]),
            widths=widths,
            rows=int(told.get("rows", 0)),  # likewise
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SupernetError(f"supernet {file}", "its description is damaged", "copy it again") from error


def _preprocessing(told: dict[str, Any] | None) -> Preprocessing | None:
    """As `asdict` and JSON wrote it: tuples became lists."""
    if told is None:
        return None
    seen: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in told.items()}
    return Preprocessing(**seen)


@lru_cache(maxsize=4)
def _tokenizer(folder: str, place: Path) -> Tokenizer:  # noqa: ARG001 (from elsewhere the same name is another folder)
    return Tokenizer.from_folder(Path(folder))
