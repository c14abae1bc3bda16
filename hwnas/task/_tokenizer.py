"""Texts to token ids, with the tokenizer of a pretrained network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.files import as_argument, is_lfs_pointer
from hwnas.task._task import digest_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Engine

TOKENIZER_FILES = FILE, VOCABULARY, CONFIG = "tokenizer.json", "vocab.txt", "tokenizer_config.json"

ROLES = {
    "unk_token": ("[UNK]", "<unk>"),
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "mask_token": ("[MASK]", "<mask>"),
}
"""Special tokens, as BERT and RoBERTa spell them."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of the ``tokenizers`` library.

    Attributes:
        definition: the complete text of a ``tokenizer.json``, which exports carry.
        pad_id: id of the padding token.
    """

    definition: str
    pad_id: int = 0

    def check_vocabulary(self, known: int, folder: str) -> None:
        """Check that a network knows all tokens.

        Raises:
            DataError: the network has only ``known`` tokens, fewer than the tokenizer, which must be another network's.
        """
        if self.vocabulary_size > known:
            rule = f"its tokenizer has {self.vocabulary_size:,} tokens, its network {known:,}"
            raise DataError(f"hf:{folder}", rule, "save the network's own tokenizer into it")

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer:
        """The tokenizer of a Hugging Face folder: ``tokenizer.json``, or else BERT's ``vocab.txt``.

        Raises:
            DataError: there is neither, or it cannot be read.
        """
        facts = _json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
        if (folder / FILE).is_file() and is_lfs_pointer(folder / FILE):
            rule = "it is a Git LFS pointer instead of the tokenizer"
            raise DataError(f"file {folder / FILE}", rule, f"fetch it: git -C {as_argument(folder)} lfs pull")
        try:
            if (folder / FILE).is_file():
                engine = _engine((folder / FILE).read_text(encoding="utf-8"))
            elif (folder / VOCABULARY).is_file():
                engine = _wordpiece(folder / VOCABULARY, lowercase=bool(facts.get("do_lower_case", True)))
            else:
                rule = f"it has neither {FILE} nor {VOCABULARY}"
                remedy = (
                    "save the network's tokenizer into it: AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)"
                )
                raise DataError(f"folder {folder}", rule, remedy)
        except DataError:
            raise
        except Exception as error:  # the library raises plain Exceptions
            rule = f"its tokenizer cannot be read ({' '.join(str(error).split())[:120]})"
            raise DataError(f"folder {folder}", rule, "save the network's tokenizer into it anew") from error
        engine.no_padding()
        engine.no_truncation()
        return cls(engine.to_str(), _pad_id(engine, facts))

    @property
    def digest(self) -> str:
        """Digest of everything that the ids depend on."""
        return digest_of([self.definition, self.pad_id])

    @property
    def vocabulary_size(self) -> int:
        """Number of ids."""
        return int(_engine(self.definition).get_vocab_size())

    @cached_property
    def special_ids(self) -> NDArray[np.int64]:
        """Ids that stand for no part of a text: padding, beginnings, separators, masks."""
        special = [token["id"] for token in json.loads(self.definition)["added_tokens"] if token["special"]]
        return np.array([self.pad_id, *special], dtype=np.int64)

    def counts(self, texts: Sequence[str], pairs: Sequence[str] | None) -> NDArray[np.int64]:
        """``(n,)`` tokens of each text."""
        return np.array([len(one.ids) for one in self._unlimited().encode_batch(_both(texts, pairs))], dtype=np.int64)

    def uses(self, texts: Sequence[str], pairs: Sequence[str] | None) -> NDArray[np.int64]:
        """``(ids,)`` occurrences of each token in the texts."""
        engine = self._unlimited()
        found = np.concatenate([one.ids for one in engine.encode_batch(_both(texts, pairs))])
        return np.bincount(found.astype(np.int64), minlength=max(engine.get_vocab().values()) + 1)

    def ids(self, text: str) -> NDArray[np.int64]:
        """``(n,)`` ids of running text, without tokens that mark its beginning or end."""
        return np.array(self._unlimited().encode(text, add_special_tokens=False).ids, dtype=np.int64)

    def stored(self, length: int) -> str:
        """The text of a ``tokenizer.json`` that truncates to ``length`` tokens and pads a batch to its longest text."""
        engine = _engine(self.definition)
        engine.enable_truncation(length)
        engine.enable_padding(pad_id=self.pad_id, pad_token=self._token(self.pad_id))
        return str(engine.to_str())

    def facts(self, length: int, inputs: Sequence[str]) -> dict[str, Any]:
        """The content of a ``tokenizer_config.json`` for ``transformers``.

        Args:
            length: longest input, in tokens.
            inputs: names of the network's inputs.
        """
        special = {str(token["content"]) for token in json.loads(self.definition)["added_tokens"] if token["special"]}
        roles = {role: token for role, tokens in ROLES.items() for token in tokens if token in special}
        return {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": length,
            "model_input_names": list(inputs),
            **roles,
            "pad_token": self._token(self.pad_id),
        }

    def _unlimited(self) -> Engine:
        """The tokenizer without truncation and padding."""
        engine = _engine(self.definition)
        engine.no_truncation()
        engine.no_padding()
        return engine

    def _token(self, number: int) -> str:
        return str(_engine(self.definition).id_to_token(number))

    def encode(self, texts: Sequence[str], pairs: Sequence[str] | None, length: int) -> tuple[Ids, Ids, Ids]:
        """Token ids, attention mask (1 for tokens) and segments (1 for a second sentence), ``(n, length)`` each.

        Longer texts are truncated, of a pair the longer one first; shorter texts are padded on the right.
        """
        engine = _engine(self.definition)
        engine.enable_truncation(length)
        engine.enable_padding(length=length, pad_id=self.pad_id)
        found = engine.encode_batch(_both(texts, pairs))
        ids, mask, segments = (
            np.array([getattr(one, name) for one in found], dtype=np.int64).reshape(len(found), length)
            for name in ("ids", "attention_mask", "type_ids")
        )
        return ids, mask, segments


def _both(texts: Sequence[str], pairs: Sequence[str] | None) -> Any:
    return list(texts) if pairs is None else list(zip(texts, pairs, strict=True))


@lru_cache(maxsize=4)
def _engine(definition: str) -> Engine:
    """Cached, because parsing takes long. The engine is shared, so every user sets padding and truncation first."""
    from tokenizers import Tokenizer as Engine

    return Engine.from_str(definition)


def _wordpiece(vocabulary: Path, *, lowercase: bool) -> Engine:
    from tokenizers import BertWordPieceTokenizer

    # The library's BERT class is a wrapper; the definition makes the plain engine.
    return _engine(BertWordPieceTokenizer(str(vocabulary), lowercase=lowercase).to_str())


def _pad_id(engine: Engine, facts: dict[str, Any]) -> int:
    token = facts.get("pad_token", "[PAD]")
    named = token.get("content") if isinstance(token, dict) else token
    for candidate in (named, "[PAD]", "<pad>"):
        found = engine.token_to_id(candidate) if isinstance(candidate, str) else None
        if found is not None:
            return int(found)
    return 0


def _json(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"file {path}", f"it cannot be read ({error})", "restore it") from error
    return facts if isinstance(facts, dict) else {}
