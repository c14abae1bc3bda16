"""GGUF files open as the folders that they were made from."""

from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwnas.errors import HwnasError
from hwnas.files import file_hash
from hwnas.study._facts import weights_hash
from hwnas.study._model_on_text import ModelOnText
from hwnas.supernet import load_supernet
from hwnas.supernet.hf.decoder._carried import _tokenizer_and_beside
from tests.supernet.hf.decoder.conftest import SIZES, WORDS, ids, largest, save

gguf = pytest.importorskip("gguf", reason="GGUF files need the package gguf")

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def permuted(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """As llama.cpp's converter does it to queries and keys."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    )


def write_gguf(file: Path, net: Any, kind: str, quantise: str = "", **more: Any) -> None:
    """A network as llama.cpp's converter writes it."""
    writer, config = gguf.GGUFWriter(file, kind), net.config
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if kind == "llama":
        writer.add_key_length(config.head_dim)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    letters = [f"<|{i}|>" for i in range(4)] + [chr(c) for c in range(ord("a"), ord("a") + len(WORDS) - 4)]
    writer.add_token_list(letters)
    writer.add_token_types([3] * 4 + [1] * (len(letters) - 4))
    writer.add_token_merges([])
    writer.add_eos_token_id(2)
    writer.add_chat_template("{{ messages }}")
    for key, value in more.items():
        writer.add_string(key.replace("__", "."), value)
    for name, tensor in net.state_dict().items():
        value = tensor.numpy()
        if name.startswith("model.layers."):
            layer, _, op = name.removeprefix("model.layers.").partition(".")
            inner, _, part = op.rpartition(".")
            if kind == "llama" and inner.endswith(("q_proj", "k_proj")):
                value = permuted(value, SIZES[f"num_{'attention' if 'q_proj' in inner else 'key_value'}_heads"])
            told = f"blk.{layer}.{NAMES[inner]}.{part}"
        elif name == "lm_head.weight":
            continue
        else:
            told = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
        if quantise and told.endswith("ffn_down.weight"):
            kept = gguf.GGMLQuantizationType[quantise]
            writer.add_tensor(told, gguf.quants.quantize(value, kept), raw_dtype=kept)
        else:
            writer.add_tensor(told, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_it_is_the_folder_that_it_was_made_from(kind: str, tmp_path: Path) -> None:
    original = save(tmp_path / "folder", kind)
    write_gguf(tmp_path / "net.gguf", original, kind)
    net = load_supernet(f"hf:{tmp_path / 'net.gguf'}")
    assert net.space.name == load_supernet(f"hf:{tmp_path / 'folder'}").space.name
    with torch.no_grad():
        expected = original(input_ids=ids()).logits
        torch.testing.assert_close(net.forward(largest(net), {"input_ids": ids()}), expected, rtol=1e-5, atol=1e-5)
    write_gguf(tmp_path / "net.gguf", original, kind, "Q8_0")
    (tmp_path / "net.gguf").rename(tmp_path / "near.gguf")
    near = load_supernet(f"hf:{tmp_path}")  # the one file in it
    with torch.no_grad():
        off = (near.forward(largest(near), {"input_ids": ids()}) - expected).abs().max()
    assert 0 < off < 0.05 * expected.abs().max()


def test_its_tokenizer_and_its_chat_go_with_it(tmp_path: Path) -> None:
    write_gguf(tmp_path / "net.gguf", save(tmp_path / "folder", "llama"), "llama")
    net: Any = load_supernet(f"hf:{tmp_path / 'net.gguf'}")
    files = net.deployed_files(net.extract(largest(net)))
    assert files["chat_template.jinja"] == "{{ messages }}"
    assert '"eos_token": "<|2|>"' in files["tokenizer_config.json"]
    ids_of = net.tokenizer().counts(["abc<|2|>ab"], None)
    assert ids_of.tolist() == [6]


def test_the_tokenizer_beside_it_is_part_of_what_it_is(tmp_path: Path) -> None:
    original = save(tmp_path / "folder", "llama")
    (tmp_path / "of_it").mkdir()
    file, beside = tmp_path / "of_it" / "net.gguf", tmp_path / "of_it" / "tokenizer.json"
    write_gguf(file, original, "llama")
    (tmp_path / "t.txt").write_text("abc " * 30)
    given = ModelOnText(f"hf:{file}", tmp_path / "t.txt", windows=1, length=4)
    alone = weights_hash(file), given.facts()["tokenizer"]
    assert alone[0] == file_hash(file)  # as before for files without
    beside.write_text((tmp_path / "folder" / "tokenizer.json").read_text())
    _tokenizer_and_beside.cache_clear()  # another process
    with_it = weights_hash(file), replace(given).facts()["tokenizer"]
    assert with_it[0] != alone[0]
    assert with_it[1] != alone[1]
    assert weights_hash(tmp_path / "of_it") == with_it[0]  # the folder is the same network
    (tmp_path / "of_it" / "notes.txt").write_text("no part of it")
    assert weights_hash(file) == with_it[0]
    beside.write_text(beside.read_text().replace('"film"', '"movie"'))
    assert weights_hash(file) != with_it[0]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"llama__rope__scaling__type": "yarn"}, "scaled rotary positions (yarn)"),
        ({"general__architecture": "gemma"}, "its architecture is 'gemma'; give a GGUF file of one of: llama, qwen2"),
    ],
)
def test_what_is_not_supported_is_named(more: dict[str, str], complaint: str, tmp_path: Path) -> None:
    original = save(tmp_path / "folder", "llama")
    kind = more.pop("general__architecture", "llama")
    write_gguf(tmp_path / "net.gguf", original, kind, **more)
    with pytest.raises(HwnasError) as caught:
        load_supernet(f"hf:{tmp_path / 'net.gguf'}")
    assert complaint in str(caught.value)


def test_damaged_files_and_several_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + bytes(20))
    with pytest.raises(HwnasError, match="no GGUF file, or damaged"):
        load_supernet(f"hf:{tmp_path}")
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    with pytest.raises(HwnasError, match=r"several networks: a\.gguf, b\.gguf; name one: hf:.*a\.gguf"):
        load_supernet(f"hf:{tmp_path}")
    with pytest.raises(HwnasError, match="there is no such file"):
        load_supernet(f"hf:{tmp_path / 'c.gguf'}")
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "gguf":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HwnasError, match=r"not installed; pip install 'hwnas\[gguf\]'"):
        load_supernet(f"hf:{tmp_path / 'b.gguf'}")
