"""What a decoder's class is made from: a folder's description, or the same within a file that ``hwnas`` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwnas.errors import SupernetError
from hwnas.supernet._header import ENCODER
from hwnas.supernet.hf.decoder._families import decoder_of
from hwnas.supernet.hf.decoder._gguf import gguf_file
from hwnas.supernet.hf.decoder._gguf_tokenizer import gguf_beside, gguf_tokenizer
from hwnas.supernet.hf.decoder._space import LENGTHS, PASTS, Decoder
from hwnas.task import Tokenizer

BESIDE = ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
"""Files of a folder that go with its network, beside its tokenizer: how to write on, how to chat."""


@dataclass(frozen=True)
class CarriedDecoder:
    """All of a decoder but its weights.

    Attributes:
        config: text of its ``config.json``.
        folder: that it came from, or GGUF file.
        lengths, pasts: choices of its input genes; None for the usual ones, as far as there are positions.
        tokenizer: what turns texts into ids; None where that is still to be read from the folder.
        beside: texts of the files of `BESIDE` that there are, by name; None as well.
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
        """Its sizes.

        Raises:
            SupernetError: they are not supported.
        """
        return decoder_of(self.settings, self.folder)

    def choices(self, positions: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the tokens of a run, and of those in the cache before it, as far as there are positions.

        Raises:
            SupernetError: there are too few for some that were asked for.
        """
        for asked in (self.lengths or (), self.pasts or ()):
            if asked and max(asked) > positions:
                rule = f"it has {positions} positions, not {max(asked)}"
                raise SupernetError(f"hf:{self.folder}", rule, "choose shorter texts")
        lengths = self.lengths or tuple(dict.fromkeys(min(n, positions) for n in LENGTHS))
        return lengths, self.pasts or tuple(dict.fromkeys(min(n, positions - 1) for n in PASTS))

    def complete(self) -> CarriedDecoder:
        """The same with its tokenizer and the files beside it.

        Raises:
            DataError: the folder has no tokenizer.
        """
        return self if self.tokenizer is not None else self._completed(Path(self.folder).resolve())

    @lru_cache(maxsize=4)  # noqa: B019 (descriptions are as many as classes, which stay)
    def _completed(self, place: Path) -> CarriedDecoder:  # noqa: ARG002 (from elsewhere the same name is another folder)
        file, folder = gguf_file(self.folder), Path(self.folder)
        if file is not None:
            return replace(self, tokenizer=gguf_tokenizer(file), beside=tuple(gguf_beside(file).items()))
        beside = tuple((name, (folder / name).read_text("utf-8")) for name in BESIDE if (folder / name).is_file())
        return replace(self, tokenizer=Tokenizer.from_folder(folder), beside=beside)

    def text(self) -> str:
        """JSON, for a file's metadata, with the tokenizer."""
        return json.dumps(asdict(self.complete()))


def is_decoder(metadata: Mapping[str, str]) -> bool:
    """Whether `CarriedDecoder.text` wrote a file's description."""
    return '"pasts"' in metadata[ENCODER]


def read_decoder(metadata: Mapping[str, str], file: str) -> CarriedDecoder:
    """What `CarriedDecoder.text` wrote.

    Raises:
        SupernetError: something else.
    """
    try:
        told = json.loads(metadata[ENCODER])
        return CarriedDecoder(
            str(told["config"]),
            str(told["folder"]),
            tuple(map(int, told["lengths"])) if told["lengths"] else None,
            tuple(map(int, told["pasts"])) if told["pasts"] else None,
            Tokenizer(**told["tokenizer"]),
            tuple((str(name), str(text)) for name, text in told["beside"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SupernetError(f"supernet {file}", "its description is damaged", "copy it again") from error
