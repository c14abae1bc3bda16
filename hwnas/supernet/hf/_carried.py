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
from hwnas.supernet.hf._families import Family, family_of
from hwnas.task import TextColumns, Tokenizer


@dataclass(frozen=True)
class Carried:
    """All of an encoder but its weights.

    Attributes:
        config: text of its ``config.json``.
        tuned: whether it came with a classification head.
        folder: that it came from.
        lengths: choices of the sequence length; None for all that its positions allow.
        metric: what its evaluations measure.
        columns: of the files that it was trained on.
        tokenizer: what turns texts into ids; None where that is still to be read from the folder.
    """

    config: str
    tuned: bool
    folder: str
    lengths: tuple[int, ...] | None = None
    metric: str = "accuracy"
    columns: TextColumns = field(default_factory=TextColumns)
    tokenizer: Tokenizer | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration."""
        return dict(json.loads(self.config))

    def family(self) -> Family:
        """Sizes and names of tensors.

        Raises:
            UnknownNameError, SupernetError: it is not supported.
        """
        family = family_of(self.settings, self.folder, tuned=self.tuned)
        return family if self.lengths is None else replace(family, text=replace(family.text, lengths=self.lengths))

    def complete(self) -> Carried:
        """The same with its tokenizer.

        Raises:
            DataError: the folder has none.
        """
        return self if self.tokenizer is not None else replace(self, tokenizer=_tokenizer(self.folder))

    def text(self) -> str:
        """JSON, for a file's metadata."""
        return json.dumps(asdict(self.complete()))

    @classmethod
    def read(cls, metadata: Mapping[str, str], file: str) -> Carried:
        """What `text` wrote.

        Raises:
            SupernetError: something else.
        """
        try:
            told = json.loads(metadata[ENCODER])
            lengths = told["lengths"]
            return cls(
                str(told["config"]),
                bool(told["tuned"]),
                str(told["folder"]),
                tuple(int(length) for length in lengths) if lengths else None,
                str(told["metric"]),
                TextColumns(**told["columns"]),
                Tokenizer(**told["tokenizer"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SupernetError(f"supernet {file}", "its description is damaged", "copy it again") from error


@lru_cache(maxsize=4)
def _tokenizer(folder: str) -> Tokenizer:
    return Tokenizer.from_folder(Path(folder))
