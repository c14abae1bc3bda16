"""GGUF files of llama.cpp, which hold the configuration, the weights (mostly quantised) and the tokenizer in one file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.files import ends_in, files_in
from hwnas.supernet.hf._folder import INDEXES, WEIGHTS

SUFFIX = ".gguf"

ARCHITECTURES = ("llama", "qwen2")
"""Supported architectures. Files of Mistral's networks state ``llama``."""

SETTINGS = {
    "num_hidden_layers": "block_count",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "max_position_embeddings": "context_length",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "rope_theta": "rope.freq_base",
    "sliding_window": "attention.sliding_window",
}
"""Keys of settings in a GGUF file, without the architecture before them, by their names in ``config.json``."""

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHERS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def gguf_file(place: str) -> Path | None:
    """The named GGUF file, or the one in a folder without other weights; None if there is none.

    Raises:
        SupernetError: the file does not exist, or the folder has several.
    """
    path = Path(place)
    if ends_in(path, SUFFIX) and not path.is_dir():
        if not path.is_file():
            raise SupernetError(f"hf:{place}", "there is no such file", "check the path")
        return path
    if any((path / name).is_file() for name in (*WEIGHTS, *INDEXES)):
        return None
    found = files_in(path, SUFFIX)
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise SupernetError(f"hf:{place}", f"it has several networks: {names}", f"name one: hf:{found[0]}")
    return found[0] if found else None


def gguf_config(file: Path) -> dict[str, Any]:
    """The configuration as in a ``config.json``.

    Raises:
        SupernetError: the file cannot be read, or its architecture is not supported.
    """
    fields = gguf_fields(file)
    kind = fields.get("general.architecture")
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise SupernetError(f"hf:{file}", f"its architecture is {kind!r}", f"give a GGUF file of one of: {known}")
    names = {tensor.name for tensor in _reader(file).tensors}
    config: dict[str, Any] = {
        "model_type": kind,
        "hidden_act": "silu",
        "vocab_size": len(fields.get("tokenizer.ggml.tokens", ())) or fields.get(f"{kind}.vocab_size"),
        "tie_word_embeddings": "output.weight" not in names,
    }
    config |= {key: fields[f"{kind}.{theirs}"] for key, theirs in SETTINGS.items() if f"{kind}.{theirs}" in fields}
    scaling = fields.get(f"{kind}.rope.scaling.type", "factors" if "rope_freqs.weight" in names else "none")
    if scaling != "none":
        config["rope_scaling"] = {"rope_type": scaling}
    if "sliding_window" in config and kind == "llama":
        config["model_type"] = "mistral"
    for name, theirs in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        if (token := fields.get(f"tokenizer.ggml.{theirs}_token_id")) is not None:
            config[f"{name}_token_id"] = token
    return config


def gguf_tensors(file: Path, heads: int, kv_heads: int) -> dict[str, Tensor]:
    """All tensors in fp32, by their names in Hugging Face folders.

    In files of Llama, llama.cpp has the pairs of channels of rotary positions side by side; they are moved back.

    Args:
        file: the GGUF file.
        heads, kv_heads: number of heads of queries, and of keys and values.
    """
    from gguf.quants import dequantize  # an optional package

    reader, found = _reader(file), {}
    paired = gguf_fields(file)["general.architecture"] == "llama"
    for tensor in reader.tensors:
        op, _, part = tensor.name.rpartition(".")
        block, _, inner = op.removeprefix("blk.").partition(".")
        name = f"model.layers.{block}.{LAYER[inner]}" if inner in LAYER else OTHERS.get(op)
        if name is None:
            continue
        try:
            value = dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            rule = f"{tensor.name} is {tensor.tensor_type.name}, which the gguf package cannot read"
            raise SupernetError(f"hf:{file}", rule, "give a file in another quantisation") from error
        if paired and inner in ("attn_q", "attn_k"):
            value = _apart(value, heads if inner == "attn_q" else kv_heads)
        found[f"{name}.{part}"] = torch.from_numpy(np.array(value, dtype=np.float32))
    return found


def _apart(weight: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows ``(heads, d / 2, 2)`` as ``(heads, 2, d / 2)``."""
    return weight.reshape(heads, -1, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def gguf_fields(file: Path) -> Mapping[str, Any]:
    """The metadata of a file."""
    return {key: field.contents() for key, field in _reader(file).fields.items()}


def _reader(file: Path) -> Any:
    return _opened(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=2)  # reading the tokens of a vocabulary one by one takes seconds
def _opened(file: Path, changed_ns: int) -> Any:  # noqa: ARG001 (a key of the cache)
    try:
        from gguf import GGUFReader  # an optional package
    except ImportError:
        rule = "GGUF files are read by the package gguf, which is not installed"
        raise SupernetError(f"hf:{file}", rule, "pip install 'hwnas[gguf]'") from None
    try:
        return GGUFReader(file)
    except Exception as error:  # noqa: BLE001 (damaged files fail in as many ways as there are bytes)
        rule = f"it is no GGUF file, or damaged ({' '.join(str(error).split())[:100]})"
        raise SupernetError(f"hf:{file}", rule, "download or copy it again") from None
