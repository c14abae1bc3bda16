"""The description from which a decoder's class is made, read from a folder or from a file of hwnas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet._header import DESCRIPTION
from hwnas.supernet.hf.decoder._families import decoder_of
from hwnas.supernet.hf.decoder._gguf import gguf_file
from hwnas.supernet.hf.decoder._gguf_tokenizer import gguf_beside, gguf_tokenizer
from hwnas.supernet.hf.decoder._space import LENGTHS, PASTS, Decoder
from hwnas.task import Tokenizer

BESIDE = ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""Files beside a network and its tokenizer: settings of generation, special tokens, the chat template."""


@dataclass(frozen=True)
class CarriedDecoder:
    """A decoder without its weights.

    Attributes:
        config: text of its ``config.json``.
        folder: the Hugging Face folder or GGUF file.
        lengths, pasts: choices of the input genes; None for the usual ones, up to the number of positions.
        tokenizer: None until it is read from the folder.
        beside: names and texts of the files of `BESIDE`; None until they are read.
    """

    config: str
    folder: str
    lengths: tuple[int, ...] | None = None
    pasts: tuple[int, ...] | None = None
    tokenizer: Tokenizer | None = None
    beside: tuple[tuple[str, str], ...] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration."""
        return dict(json.loads(self.config))

    def decoder(self) -> Decoder:
        """The sizes.

        Raises:
            SupernetError: the configuration is not supported.
        """
        return decoder_of(self.settings, self.folder)

    def choices(self, positions: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Choices of the number of tokens in a run, and in the cache before it, up to the number of positions.

        Raises:
            SupernetError: a requested choice exceeds the positions.
        """
        for asked in (self.lengths or (), self.pasts or ()):
            if asked and max(asked) > positions:
                rule = f"it has {positions} positions, not {max(asked)}"
                raise SupernetError(f"hf:{self.folder}", rule, "choose shorter texts")
        lengths = self.lengths or tuple(dict.fromkeys(min(n, positions) for n in LENGTHS))
        return lengths, self.pasts or tuple(dict.fromkeys(min(n, positions - 1) for n in PASTS))

    def complete(self) -> CarriedDecoder:
        """The description with its tokenizer and the files beside it.

        Raises:
            DataError: the folder has no tokenizer.
        """
        if self.tokenizer is not None:
            return self
        tokenizer, beside = _tokenizer_and_beside(Path(self.folder).resolve())
        return replace(self, tokenizer=tokenizer, beside=beside)

    def text(self) -> str:
        """The description as JSON, with the tokenizer, for a file's metadata."""
        return json.dumps(asdict(self.complete()))


@lru_cache(maxsize=4)
def _tokenizer_and_beside(place: Path) -> tuple[Tokenizer, tuple[tuple[str, str], ...]]:
    file = gguf_file(str(place))
    if file is not None:
        return gguf_tokenizer(file), tuple(gguf_beside(file).items())
    beside = tuple((name, (place / name).read_text("utf-8")) for name in BESIDE if (place / name).is_file())
    return Tokenizer.from_folder(place), beside


def is_decoder(metadata: Mapping[str, str]) -> bool:
    """Whether `CarriedDecoder.text` wrote a file's description."""
    return '"pasts"' in metadata[DESCRIPTION]


def read_decoder(metadata: Mapping[str, str], file: str) -> CarriedDecoder:
    """The description that `CarriedDecoder.text` wrote.

    Raises:
        SupernetError: it is damaged.
    """
    try:
        stored = json.loads(metadata[DESCRIPTION])
        return CarriedDecoder(
            str(stored["config"]),
            str(stored["folder"]),
            tuple(map(int, stored["lengths"])) if stored["lengths"] else None,
            tuple(map(int, stored["pasts"])) if stored["pasts"] else None,
            Tokenizer(**stored["tokenizer"]),
            tuple((str(name), str(text)) for name, text in stored["beside"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SupernetError(f"supernet {file}", "its description is damaged", "copy it again") from error
