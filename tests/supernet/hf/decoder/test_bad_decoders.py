"""What a decoder's folder may lack, or be: one line each, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwnas.errors import HwnasError
from hwnas.study._training import Training
from hwnas.supernet import _export as exporting
from hwnas.supernet import load_supernet, onnx_model
from hwnas.supernet.train import ALONE
from tests.supernet.hf.decoder.conftest import largest, save, write_tokenizer


@pytest.mark.parametrize(
    ("kind", "changes", "complaint"),
    [
        ("llama", {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "scaled rotary positions (llama3)"),
        ("llama", {"rope_parameters": None, "rope_scaling": {"type": "linear"}}, "scaled rotary positions (linear)"),
        (
            "llama",
            {"attention_bias": True, "mlp_bias": True},
            "it has biases (attention_bias), biases (mlp_bias), which hwnas does not know",
        ),
        ("llama", {"quantization_config": {"bits": 4}}, "weights in another precision (quantization_config)"),
        ("mistral", {"sliding_window": 16}, "a sliding window of 16 tokens"),
        ("mistral", {"sliding_window": "wide"}, "a sliding window of wide tokens"),
        ("mistral", {"max_position_embeddings": None}, "max_position_embeddings is None, not a whole number from 1"),
        ("qwen2", {"layer_types": 2, "use_sliding_window": 1}, "a sliding window (use_sliding_window)"),
        ("qwen2", {"use_sliding_window": True}, "a sliding window (use_sliding_window)"),
        ("llama", {"num_key_value_heads": 4}, "6 heads of 8 channels do not fit 4 key-value heads"),
        ("llama", {"hidden_act": "mish"}, "its activation is 'mish'"),
        ("llama", {"num_hidden_layers": 2}, "counts 2 layers, and its weights have model.layers.2"),
        ("llama", {"rope_parameters": {"rope_theta": "much"}}, "rope_theta is 'much', not a number above 1"),
        ("llama", {"intermediate_size": 16}, "restore its config.json and its weights from one and the same network"),
        ("llama", {"model_type": "gemma2"}, "its model_type is 'gemma2'; give an encoder of the families"),
    ],
)
def test_it_is_one_line(kind: str, changes: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    save(tmp_path, kind)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    with pytest.raises(HwnasError) as caught:
        load_supernet(f"hf:{tmp_path}")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_window_that_hides_nothing_is_none(tmp_path: Path) -> None:
    save(tmp_path, "mistral", sliding_window=64)
    assert load_supernet(f"hf:{tmp_path}").space.name.startswith("mistral-3x24")


def test_what_does_not_suit_decoders_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "llama")
    net: Any = load_supernet(f"hf:{tmp_path}")
    with pytest.raises(HwnasError, match="positions of tokens do not fit into fp16; export fp32, int8 or int4"):
        net.in_precision("fp16")
    with pytest.raises(HwnasError, match="it generates text, and has no classes"):
        net.with_head(["yes", "no"])
    with pytest.raises(HwnasError, match="it has 64 positions, not 128"):
        net.remade(lengths=(1, 128))
    monkeypatch.setattr(exporting, "LARGEST", 1000)
    with pytest.raises(HwnasError, match="a file holds at most 0 GB; choose a smaller subnet"):
        onnx_model(net.extract(largest(net)))


def test_a_saved_decoder_needs_no_folder(tmp_path: Path) -> None:
    save(tmp_path / "net", "llama")
    net: Any = load_supernet(f"hf:{tmp_path / 'net'}")
    net.save(tmp_path / "own.safetensors")
    (tmp_path / "net").rename(tmp_path / "gone")
    other: Any = load_supernet(str(tmp_path / "own.safetensors"))
    assert (other.space.name, other.digest, type(other).__name__) == (net.space.name, net.digest, "DecoderSupernet")
    files = other.deployed_files(other.extract(largest(other)))
    assert sorted(files) == ["config.json", "generation_config.json", "tokenizer.json"]


def test_one_file_of_text_is_measured_on_and_trains_nothing(tmp_path: Path) -> None:
    save(tmp_path / "net", "llama")
    write_tokenizer(tmp_path / "net")
    text = tmp_path / "train.txt"
    text.write_text("the film was good " * 99, encoding="utf-8")
    training = Training(f"hf:{tmp_path / 'net'}", tmp_path / "state", data=text)
    with pytest.raises(
        HwnasError, match=r"it is one file, which is measured on; give a folder with train.txt and valid"
    ):
        training.trainer(ALONE)
