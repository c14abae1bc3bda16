"""A folder that ``hwnas export`` wrote of a decoder: one ONNX file reads prompts and writes on, as torch does."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from tokenizers import Tokenizer

from hwnas.cli import main
from hwnas.space import network_inputs
from hwnas.supernet import Supernet, load_supernet
from hwnas.task import prompt
from tests.conftest import REPOSITORY
from tests.supernet.hf.decoder.conftest import FAMILIES, WORDS, ids, save, transformers

ARCH = {"a": [2, 0, 1], "f": [16, 32, 0], "l": 1, "p": 63}
WHOLE = {"a": [2, 2, 2], "f": [32, 32, 32], "l": 1, "p": 63}


def exit_code(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["export", *args])
    return int(caught.value.code or 0)


def exported(folder: Path, arch: dict[str, Any]) -> Path:
    given = ("--supernet", f"hf:{folder / 'net'}", "--arch", json.dumps(arch), "--out", f"{folder / 'deploy'}/")
    assert exit_code(*given) == 0
    return folder / "deploy"


def steps(session: ort.InferenceSession, texts: torch.Tensor, first: int) -> np.ndarray[Any, Any]:
    """Logits of whole texts: of the first tokens at once, and of the others one by one."""
    caches = {
        each.name: np.zeros((len(texts), each.shape[1], 0, each.shape[3]), np.float32)
        for each in session.get_inputs()
        if each.name.startswith("past_key_values.")
    }
    outputs, found, before = [each.name for each in session.get_outputs()], [], 0
    for part in (texts[:, :first], *texts[:, first:].split(1, dim=1)):
        total = before + part.shape[1]
        fed = {
            "input_ids": part.numpy(),
            "attention_mask": np.ones((len(texts), total), np.int64),
            "position_ids": np.tile(np.arange(before, total), (len(texts), 1)),
        }
        given = dict(zip(outputs, session.run(None, fed | caches), strict=True))
        caches = {name: given[name.replace("past_key_values", "present")] for name in caches}
        found.append(given["logits"])
        before = total
    return np.concatenate(found, axis=1)


def open_deployed(deploy: Path) -> ort.InferenceSession:
    return ort.InferenceSession(deploy / "model.onnx", providers=["CPUExecutionProvider"])


def subnet_logits(net: Supernet, arch: dict[str, Any], texts: torch.Tensor) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return net.forward(net.space.encode(arch), {"input_ids": texts}).numpy()


def test_tokens_that_a_mask_hides_are_answered_for_too(tmp_path: Path) -> None:
    save(tmp_path, "llama")
    net: Any = load_supernet(f"hf:{tmp_path}")
    row = net.space.encode(WHOLE)
    fed = prompt(network_inputs(net.network(row)), ids(1, 6))
    fed["attention_mask"][:, 4:] = 0
    with torch.no_grad():
        assert net.extract(row)(fed).shape == (1, 6, len(WORDS))


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_largest_is_the_original_for_whole_texts_and_step_by_step(kind: str, tmp_path: Path) -> None:
    original = save(tmp_path / "net", kind)
    session = open_deployed(exported(tmp_path, WHOLE))
    with torch.no_grad():
        expected = original(input_ids=ids()).logits.numpy()
    for first in (1, 4, 9):
        np.testing.assert_allclose(steps(session, ids(), first), expected, atol=1e-4)


def test_a_folder_is_the_subnet_with_caches_where_it_attends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "net", "llama")
    deploy = exported(tmp_path, ARCH)
    assert "past_key_values.0.key Nx2xpastx8 and 1 like it" in capsys.readouterr().err
    files = ["config.json", "generation_config.json", "model.onnx", "tokenizer.json"]
    assert sorted(path.name for path in deploy.iterdir()) == files
    session = open_deployed(deploy)
    shapes = {each.name: each.shape for each in session.get_inputs()}
    assert shapes == {
        "input_ids": ["N", "length"],
        "attention_mask": ["N", "past + length"],
        "position_ids": ["N", "length"],
        "past_key_values.0.key": ["N", 2, "past", 8],
        "past_key_values.0.value": ["N", 2, "past", 8],
        "past_key_values.2.key": ["N", 1, "past", 8],
        "past_key_values.2.value": ["N", 1, "past", 8],
    }
    assert {each.name: each.shape for each in session.get_outputs()} == {
        "logits": ["N", "length", len(WORDS)],
        **{
            f"present.{i}.{part}": ["N", n, "past + length", 8]
            for i, n in ((0, 2), (2, 1))
            for part in ("key", "value")
        },
    }
    config = transformers.AutoConfig.from_pretrained(deploy)
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    arch = config.hwnas
    np.testing.assert_allclose(steps(session, ids(), 5), subnet_logits(net, arch, ids()), atol=1e-4)


def test_padding_before_a_text_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "net", "llama")
    session = open_deployed(exported(tmp_path, ARCH))
    texts, padding = ids(1, 6).numpy(), 3
    caches = {
        each.name: np.zeros((1, each.shape[1], 0, each.shape[3]), np.float32)
        for each in session.get_inputs()
        if each.name.startswith("past_key_values.")
    }

    def logits(before: int) -> np.ndarray[Any, Any]:
        zeros = np.zeros((1, before), np.int64)
        fed = {
            "input_ids": np.concatenate([zeros, texts], axis=1),
            "attention_mask": np.concatenate([zeros, np.ones_like(texts)], axis=1),
            "position_ids": np.concatenate([zeros, np.arange(6)[None]], axis=1),
        }
        return np.asarray(session.run(["logits"], fed | caches)[0])[:, before:]

    np.testing.assert_allclose(logits(padding), logits(0), atol=1e-5)


def test_tied_embeddings_are_one_tensor(tmp_path: Path) -> None:
    save(tmp_path / "net", "llama")
    model = onnx.load(exported(tmp_path, WHOLE) / "model.onnx")
    tables = [each for each in model.graph.initializer if sorted(each.dims) == sorted([len(WORDS), 24])]
    assert [each.name for each in tables] == ["embeddings/words.weight"]


def test_the_example_writes_what_torch_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "net", "llama")
    deploy = exported(tmp_path, ARCH)
    (deploy / "generation_config.json").write_text("{}", encoding="utf-8")  # random networks end soon
    net: Any = load_supernet(f"hf:{tmp_path / 'net'}")
    arch = json.loads((deploy / "config.json").read_text(encoding="utf-8"))["hwnas"]
    text = "the film was"
    words = [WORDS.index(word) for word in text.split()]
    for _ in range(8):
        words.append(int(subnet_logits(net, arch, torch.tensor([words]))[0, -1].argmax()))
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["write_text.py", str(deploy), text, "8"])
    runpy.run_path(str(REPOSITORY / "examples" / "write_text.py"), run_name="__main__")
    followed = Tokenizer.from_file(str(deploy / "tokenizer.json")).decode(words[3:])
    assert capsys.readouterr().out == f"{text}{followed}\n"
