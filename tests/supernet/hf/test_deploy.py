"""A folder that ``hwnas export`` wrote of an encoder: what users read with bare onnxruntime, or with ``transformers``."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from hwnas.cli import main
from hwnas.supernet import load_supernet
from hwnas.supernet.hf import TextEncoder
from tests.conftest import REPOSITORY
from tests.supernet.hf.conftest import save, save_images

transformers = pytest.importorskip("transformers", reason="the folder is read with transformers")

LENGTH = 16
TEXTS = ["the film was very good", "who was born in the city where the man lives and the year was not bad is it"]


def exit_code(*args: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["export", *args])
    return int(caught.value.code or 0)


def exported(folder: Path, kind: str) -> Path:
    """A subnet of three layers, as a folder."""
    save(folder / "net", kind)
    arch = json.dumps({"d": 3, "h": [4, 2, 4, 2], "f": [48, 24, 24, 36], "l": LENGTH})
    assert exit_code("--supernet", f"hf:{folder / 'net'}", "--arch", arch, "--out", f"{folder / 'deploy'}/") == 0
    return folder / "deploy"


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "roberta"])
def test_a_folder_is_the_subnet_with_its_tokenizer_and_its_classes(kind: str, tmp_path: Path) -> None:
    deploy = exported(tmp_path, kind)
    assert sorted(path.name for path in deploy.iterdir()) == [
        "config.json",
        "model.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    config = transformers.AutoConfig.from_pretrained(deploy)
    assert (config.model_type, config.num_labels) == (kind, 3)
    assert config.id2label == {i: f"class {i}" for i in range(3)}
    assert config.label2id == {f"class {i}": i for i in range(3)}
    tokenizer = transformers.AutoTokenizer.from_pretrained(deploy)
    assert tokenizer.model_max_length == LENGTH
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="np")
    assert batch["input_ids"].shape == (2, LENGTH)  # the second is longer

    net = load_supernet(f"hf:{tmp_path / 'net'}")
    assert isinstance(net, TextEncoder)
    arch = config.hwnas
    subnet = net.extract(net.space.encode(arch))
    session = ort.InferenceSession(deploy / "model.onnx", providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == tokenizer.model_input_names == list(subnet.inputs)
    for texts in (TEXTS, TEXTS[:1]):
        fed = dict(tokenizer(texts, padding=True, truncation=True, return_tensors="np"))
        ours = net.tokenizer().encode(texts, None, LENGTH)  # filled up to the whole length
        named = dict(zip(("input_ids", "attention_mask", "token_type_ids"), map(torch.from_numpy, ours), strict=True))
        with torch.inference_mode():
            expected = subnet({name: named[name] for name in subnet.inputs}).numpy()
        np.testing.assert_allclose(session.run(["logits"], fed)[0], expected, atol=1e-5)
    assert fed["input_ids"].shape[1] < LENGTH


def test_what_a_network_was_for_before_is_not_told_of_its_classes(tmp_path: Path) -> None:
    save(tmp_path, "bert", problem_type="multi_label_classification")
    net = load_supernet(f"hf:{tmp_path}").with_head(["a", "b"])
    config = json.loads(
        net.deployed_files(net.extract(np.array([d[-1] for d in net.space.domain], dtype=np.int16)))["config.json"]
    )
    assert "problem_type" not in config  # transformers' pipeline would give each class a sigmoid of its own
    assert config["id2label"] == {"0": "a", "1": "b"}


def test_the_example_classifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    deploy = exported(tmp_path, "bert")
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    assert isinstance(net, TextEncoder)
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["classify_texts.py", str(deploy), *TEXTS])
    runpy.run_path(str(REPOSITORY / "examples" / "classify_texts.py"), run_name="__main__")
    subnet = net.extract(net.space.encode(json.loads((deploy / "config.json").read_text())["hwnas"]))
    ids, mask, segments = map(torch.from_numpy, net.tokenizer().encode(TEXTS, None, LENGTH))
    with torch.inference_mode():
        found = subnet({"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}).argmax(1).tolist()
    expected = [f"{net.labels[i]}\t{text}" for i, text in zip(found, TEXTS, strict=True)]
    assert capsys.readouterr().out.splitlines() == expected


def test_all_files_or_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "net", "bert")
    (tmp_path / "deploy" / "tokenizer.json").mkdir(parents=True)
    arch = json.dumps({"d": 2, "h": [4] * 4, "f": [48] * 4, "l": LENGTH})
    assert exit_code("--supernet", f"hf:{tmp_path / 'net'}", "--arch", arch, "--out", str(tmp_path / "deploy")) == 2
    assert "tokenizer.json: it cannot be written (it is a folder)" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "deploy").iterdir()] == ["tokenizer.json"]


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_other_precisions_take_any_length_too(precision: str, tmp_path: Path) -> None:
    save(tmp_path / "net", "bert")
    arch = json.dumps({"d": 2, "h": [4] * 4, "f": [48] * 4, "l": LENGTH})
    out, given = tmp_path / "x.onnx", ("--supernet", f"hf:{tmp_path / 'net'}", "--arch", arch)
    assert exit_code(*given, "--precision", precision, "--out", str(out)) == 0
    session = ort.InferenceSession(out, providers=["CPUExecutionProvider"])
    ones = np.ones((2, 5), dtype=np.int64)
    assert np.isfinite(session.run(["logits"], {each.name: ones for each in session.get_inputs()})[0]).all()


def test_a_sum_and_the_norm_after_it_stay_two_kernels(tmp_path: Path) -> None:
    """onnxruntime has one for both, which is slower: int8 networks of it took 1.4 times as long."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "run.onnx")
    ort.InferenceSession(exported(tmp_path, "bert") / "model.onnx", options, providers=["CPUExecutionProvider"])
    run = {node.op_type for node in onnx.load(tmp_path / "run.onnx").graph.node}
    assert "LayerNormalization" in run
    assert "SkipLayerNormalization" not in run


def test_a_vision_transformer_keeps_its_family_and_its_preprocessing(tmp_path: Path) -> None:
    save_images(tmp_path / "net", "vit")
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    subnet = net.extract(np.array([d[-1] for d in net.space.domain], dtype=np.int16))
    files = net.deployed_files(subnet)
    assert json.loads(files["config.json"])["model_type"] == "vit"
    assert ("preprocessor_config.json" in files) == (net.preprocessing is not None)
