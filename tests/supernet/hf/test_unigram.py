"""XLM-RoBERTa and CamemBERT with the tokenizers that they come with: unigram models, read as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import tokenizers
import torch

from hwnas.supernet import extremes, load_supernet
from hwnas.supernet.hf import TextEncoder
from tests.supernet.hf.conftest import WORDS, save, write_texts

transformers = pytest.importorskip("transformers", reason="the folder is read with transformers")

Ran = Callable[..., tuple[object, str]]

TEXTS = ["the film was very good", "née where the man lives"]
FIRST = {
    "camembert": ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>"),
    "xlm-roberta": ("<s>", "<pad>", "</s>", "<unk>"),
}
"""Tokens with a meaning, which take the first ids; ``<mask>`` takes the last."""


def save_with_tokenizer(folder: Path, kind: str) -> tuple[Any, Any]:
    """A network and the tokenizer that its family has, with pieces that were learnt from a few texts."""
    engine = tokenizers.Tokenizer(tokenizers.models.Unigram())
    engine.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(vocab_size=60, unk_token="<unk>", special_tokens=["<unk>"])
    engine.train_from_iterator([" ".join(WORDS), *TEXTS[:1]], trainer)
    pieces = [(piece, score) for piece, score in json.loads(engine.to_str())["model"]["vocab"] if piece != "<unk>"]
    vocabulary = [*((token, 0.0) for token in FIRST[kind]), *map(tuple, pieces), ("<mask>", 0.0)]
    maker = {"camembert": transformers.CamembertTokenizer, "xlm-roberta": transformers.XLMRobertaTokenizer}[kind]
    tokenizer = maker(vocab=vocabulary)
    net = save(folder, kind, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, type_vocab_size=1)
    (folder / "vocab.txt").unlink()
    tokenizer.save_pretrained(folder)
    return net, tokenizer


@pytest.mark.parametrize("kind", FIRST)
def test_texts_are_the_ids_that_transformers_gives_them(kind: str, tmp_path: Path) -> None:
    _, theirs = save_with_tokenizer(tmp_path, kind)
    net = load_supernet(f"hf:{tmp_path}")
    assert isinstance(net, TextEncoder)
    for pairs in (TEXTS[::-1], None):
        expected = theirs(TEXTS, pairs, padding="max_length", truncation=True, max_length=24, return_tensors="np")
        ids, mask, segments = net.tokenizer().encode(TEXTS, pairs, 24)
        np.testing.assert_array_equal(ids, expected["input_ids"])
        np.testing.assert_array_equal(mask, expected["attention_mask"])
        assert not segments.any()
    assert (ids == theirs.unk_token_id).any()  # no text that pieces were learnt from has an é
    assert not mask.all()


@pytest.mark.parametrize("kind", FIRST)
def test_what_is_exported_says_of_texts_what_transformers_says(kind: str, tmp_path: Path, ran: Ran) -> None:
    original, theirs = save_with_tokenizer(tmp_path / "net", kind)
    net = load_supernet(f"hf:{tmp_path / 'net'}")
    arch = json.dumps(net.space.decode(extremes(net.space)[1]))
    code, said = ran("export", "--supernet", f"hf:{tmp_path / 'net'}", "--arch", arch, "--out", f"{tmp_path / 'd'}/")
    assert code == 0, said
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "d")
    session = ort.InferenceSession(tmp_path / "d" / "model.onnx", providers=["CPUExecutionProvider"])
    found = session.run(["logits"], dict(tokenizer(TEXTS, padding=True, truncation=True, return_tensors="np")))[0]
    with torch.no_grad():
        expected = original(**theirs(TEXTS, padding=True, return_tensors="pt")).logits
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", FIRST)
def test_it_is_trained_and_searched(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran) -> None:
    save_with_tokenizer(tmp_path / kind, kind)
    write_texts(tmp_path / "data", 16)
    monkeypatch.chdir(tmp_path)
    rows = ("--embedding-rows", "30")
    own = ("--supernet", f"hf:{kind}", "--data", "data", "--steps", "3", "--out", "o.safetensors")
    code, said = ran("train", *own, *rows)
    assert code == 0, said
    (tmp_path / kind).rename(tmp_path / "gone")  # the file has all that is needed
    evaluated = ("--data", "data", "--evaluate", "--evals", "8", "--objectives", "accuracy,macs", "--out", "p.csv")
    code, said = ran("search", "--supernet", "o.safetensors", *evaluated)
    assert code == 0, said
