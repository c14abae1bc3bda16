"""The tokenizer of a GGUF file as one of the ``tokenizers`` library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Engine

from hwnas.errors import DataError
from hwnas.supernet.hf.decoder._gguf import gguf_fields
from hwnas.task import TOKENIZER_FILES, Tokenizer

CONTROL, OWN = 3, 4
"""Types of tokens that are never split: control tokens, and other tokens that the author of the network added."""

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _by_bytes() -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _digits_apart() -> Any:
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _by_bytes()])


def _words(digits: str) -> Any:
    split = pre_tokenizers.Split(Regex(_WORDS.replace("DIGITS", digits)), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


WORDS: Mapping[str, Callable[[], Any]] = {
    "default": _by_bytes,
    "gpt-2": _by_bytes,
    "smollm": _digits_apart,
    "llama-bpe": lambda: _words("{1,3}"),
    "qwen2": lambda: _words(""),
}
"""Pre-tokenizers, which split text into words before byte pairs are merged, by ``tokenizer.ggml.pre``."""


def tokenizer_beside(file: Path) -> list[Path]:
    """The files of a tokenizer beside the file, which is preferred to the file's own; empty if there is none."""
    folder = file.parent
    return [folder / name for name in TOKENIZER_FILES] if (folder / "tokenizer.json").is_file() else []


def gguf_tokenizer(file: Path) -> Tokenizer:
    """The tokenizer of a ``tokenizer.json`` beside the file, or else the file's own.

    Raises:
        DataError: there is none beside it, and the file's own is not supported.
    """
    if tokenizer_beside(file):
        return Tokenizer.from_folder(file.parent)
    fields = gguf_fields(file)
    kind, words = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre", "default")
    tokens, merges = (fields.get(f"tokenizer.ggml.{part}", []) for part in ("tokens", "merges"))
    if kind != "gpt2" or words not in WORDS or not tokens:
        rule = f"its tokenizer is of the kind {kind}, {words}; supported are gpt2, {', '.join(WORDS)}"
        raise DataError(f"hf:{file}", rule, "put the network's tokenizer.json beside it")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    engine = Engine(models.BPE({token: i for i, token in enumerate(tokens)}, pairs))
    if words == "qwen2":
        engine.normalizer = normalizers.NFC()
    engine.pre_tokenizer = WORDS[words]()
    engine.decoder = decoders.ByteLevel()
    types = fields.get("tokenizer.ggml.token_type", [])
    for token, kind in zip(tokens, types, strict=False):
        if kind in (CONTROL, OWN):
            engine.add_tokens([AddedToken(token, special=kind == CONTROL, normalized=False)])
    return Tokenizer(engine.to_str(), int(fields.get("tokenizer.ggml.padding_token_id", 0)))


def gguf_beside(file: Path) -> dict[str, str]:
    """Texts by name of the files that a folder would have beside its tokenizer: special tokens and chat template."""
    fields = gguf_fields(file)
    tokens = fields.get("tokenizer.ggml.tokens", [])
    numbers = {role: fields.get(f"tokenizer.ggml.{role}_token_id") for role in ("bos", "eos", "unknown", "padding")}
    names = {"unknown": "unk", "padding": "pad"}
    known = {names.get(role, role): tokens[n] for role, n in numbers.items() if n is not None and n < len(tokens)}
    about = {"tokenizer_class": "PreTrainedTokenizerFast", **{f"{role}_token": token for role, token in known.items()}}
    template = fields.get("tokenizer.chat_template")
    chat = {"chat_template.jinja": template} if isinstance(template, str) else {}
    return {"tokenizer_config.json": json.dumps(about, indent=2, ensure_ascii=False) + "\n", **chat}
