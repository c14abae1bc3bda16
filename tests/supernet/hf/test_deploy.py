"""A folder that `export` writes is all that a user needs: it computes what ``transformers`` does, for texts of any length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import transformers
from PIL import Image

from hwnas.errors import DataError
from hwnas.graph import Model
from hwnas.study._export import ChosenSubnet, ExportSettings, export_subnet
from hwnas.supernet import Supernet, load_supernet
from hwnas.supernet._agreement import open_session
from hwnas.task import preprocessor_config
from hwnas.task._pixels import centred, standardised
from tests.conftest import REPOSITORY
from tests.supernet.hf.conftest import save
from tests.supernet.hf.test_parity import KINDS, largest

TEXTS = [
    "who was the man",
    "a very good film",
    "is the city not very dull ? the film was bad and the man is good",
    "when",
]


def exported(net: Supernet, reference: str, out: Path, length: int = 16) -> None:
    arch = net.space.decode(largest(net, length))
    assert export_subnet(ExportSettings(reference), {}, lambda _: ChosenSubnet(arch), out)


@pytest.mark.parametrize("kind", KINDS)
def test_padded_batches_of_every_length_give_the_logits_of_transformers(kind: str, tmp_path: Path) -> None:
    original = save(tmp_path / "net", kind)
    exported(load_supernet(f"hf:{tmp_path / 'net'}"), f"hf:{tmp_path / 'net'}", tmp_path / "deploy")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "deploy")
    assert config.id2label == {0: "class 0", 1: "class 1", 2: "class 2"}
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "deploy")
    session = open_session(onnx.load(tmp_path / "deploy" / "model.onnx"))
    wanted = {each.name for each in session.get_inputs()}
    for few in (TEXTS, TEXTS[:1], TEXTS[3:]):
        batch = tokenizer(few, padding=True, truncation=True, return_tensors="pt")
        assert batch["input_ids"].shape[1] <= 16
        ids = {name: batch[name] for name in ("input_ids", "attention_mask")}
        feed = {name: ids.get(name, torch.zeros_like(ids["input_ids"])) for name in wanted}
        with torch.no_grad():
            expected = original(**ids).logits.numpy()
        (found,) = session.run(None, {name: value.numpy() for name, value in feed.items()})
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_example_needs_the_folder_alone(tmp_path: Path) -> None:
    original = save(tmp_path / "net", "bert")
    exported(load_supernet(f"hf:{tmp_path / 'net'}"), f"hf:{tmp_path / 'net'}", tmp_path / "deploy")
    line = [sys.executable, str(REPOSITORY / "examples" / "classify_texts.py"), str(tmp_path / "deploy"), *TEXTS]
    told = subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "deploy")
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        best = original(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(1)
    assert told == [f"class {int(label)}: {text}" for label, text in zip(best, TEXTS, strict=True)]


def test_the_file_is_timed_at_the_length_that_was_searched(tmp_path: Path) -> None:
    save(tmp_path / "net", "distilbert")
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    exported(net, f"hf:{tmp_path / 'net'}", tmp_path / "subnet.onnx", length=32)
    model = Model.read(tmp_path / "subnet.onnx", batch=2)
    assert {each.name: each.shape for each in model.inputs} == {"input_ids": (2, 32), "attention_mask": (2, 32)}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "subnet.onnx"]


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    save(tmp_path / "net", "bert")
    (tmp_path / "deploy").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        exported(load_supernet(f"hf:{tmp_path / 'net'}"), f"hf:{tmp_path / 'net'}", tmp_path / "deploy")
    assert (tmp_path / "deploy").read_text() == "a file"


def test_images_get_the_preprocessing_that_they_were_measured_with() -> None:
    facts = preprocessor_config(64)
    processor = getattr(transformers, facts["image_processor_type"])(**facts)
    drawn = np.random.default_rng(0).integers(0, 255, (90, 130, 3), dtype=np.uint8)
    image = Image.fromarray(drawn).resize((260, 180), Image.Resampling.BICUBIC)
    theirs = processor(image, return_tensors="np")["pixel_values"]
    ours = standardised([np.asarray(centred(image, size=64, seed=[0]))]).numpy()
    assert theirs.shape == ours.shape
    assert np.abs(theirs - ours).mean() < 0.05
