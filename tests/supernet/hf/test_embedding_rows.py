"""Encoders of texts whose tokens share rows of their table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from hwnas.graph import build_model, in_precision, size_cost
from hwnas.space import params_cost
from hwnas.supernet import export_onnx, extremes, load_supernet
from hwnas.supernet.hf import TextEncoder
from hwnas.task import TextFolder
from tests.supernet.hf.conftest import VOCABULARY, save, write_texts

transformers = pytest.importorskip("transformers", reason="the folder is read with transformers")

FEW = ("the film was good", "where is the city")
WORDS, ROWS = "embeddings/words.weight", "embeddings/rows.row"
ONE_STEP = ("--steps", "1", "--out", "o.safetensors")

Ran = Callable[..., tuple[object, str]]


def opened(folder: Path) -> TextEncoder:
    net = load_supernet(f"hf:{folder}")
    assert isinstance(net, TextEncoder)
    return net


def logits(net: TextEncoder, texts: tuple[str, ...]) -> torch.Tensor:
    """Of the largest subnet."""
    ids, mask, segments = map(torch.from_numpy, net.tokenizer().encode(texts, None, 16))
    fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
    subnet = net.extract(extremes(net.space)[1])
    with torch.inference_mode():
        return subnet({name: fed[name] for name in subnet.inputs})


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "roberta"])
def test_texts_whose_tokens_keep_their_rows_are_understood_as_before(kind: str, tmp_path: Path) -> None:
    save(tmp_path, kind)
    net = opened(tmp_path)
    small = net.with_embedding_rows(net.tokenizer().uses(FEW, None), 14)
    assert small.embedding_rows == 14
    assert small.space.name == f"{net.space.name}-rows14"
    torch.testing.assert_close(logits(small, FEW), logits(net, FEW), rtol=0, atol=0)
    params = [params_cost(each.space)(extremes(each.space)[1][None])[0] for each in (net, small)]
    width = net.tensors[WORDS].shape[1]
    assert params[0] - params[1] == (len(VOCABULARY) - 14) * width


def test_every_other_token_has_the_row_that_is_most_like_its_own(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    net = opened(tmp_path)
    uses = net.tokenizer().uses(FEW, None)
    small = net.with_embedding_rows(uses, 12)
    table, rows = net.tensors[WORDS].numpy(), small.tensors[ROWS].long().numpy()
    kept = np.sort(np.argsort(-np.resize(np.append(uses, np.zeros(len(table))), len(table)), kind="stable")[:12])
    np.testing.assert_array_equal(small.tensors[WORDS].numpy(), table[kept])
    length = np.linalg.norm(table, axis=1)
    likeness = table @ table[kept].T / length[:, None] / length[kept]
    np.testing.assert_array_equal(rows, likeness.argmax(axis=1))


def test_rows_can_be_made_fewer_again(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    net = opened(tmp_path)
    uses = net.tokenizer().uses(FEW, None)
    again = net.with_embedding_rows(uses, 18).with_embedding_rows(uses, 10)
    assert again.space.name.endswith("-rows10")
    torch.testing.assert_close(logits(again, FEW), logits(net.with_embedding_rows(uses, 10), FEW), rtol=0, atol=0)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int4"])
def test_the_exported_file_is_as_large_as_predicted(precision: str, tmp_path: Path) -> None:
    save(tmp_path, "bert")
    net = opened(tmp_path)
    small = net.with_embedding_rows(net.tokenizer().uses(FEW, None), 14)
    row = extremes(small.space)[1]
    model = in_precision(build_model(small.network(row)), precision)
    written = model.graph.ByteSize()
    assert size_cost(small.space, precision)(row[None])[0] == pytest.approx(written, abs=4096, rel=0.02)


def test_the_exported_file_gives_the_same(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    net = opened(tmp_path)
    small = net.with_embedding_rows(net.tokenizer().uses(FEW, None), 14)
    export_onnx(small.extract(extremes(small.space)[1]), tmp_path / "net.onnx")
    session = ort.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    texts = (*FEW, "who lives in a dull year")
    ids, mask, segments = small.tokenizer().encode(texts, None, 16)
    fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
    np.testing.assert_allclose(session.run(["logits"], fed)[0], logits(small, texts).numpy(), atol=1e-5)


def test_it_is_trained_evaluated_and_deployed_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran
) -> None:
    save(tmp_path / "net", "bert", classes=None)
    write_texts(tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    train = ("train", "--supernet", "hf:net", "--data", "data", "--steps", "3", "--out", "o.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(TextFolder, "calibration", lambda *_: pytest.fail("it has no batch norms to calibrate"))
        code, said = ran(*train, "--embedding-rows", "20")
    assert code == 0, said
    assert f"embeddings: 20 of {len(VOCABULARY)} rows stay; the texts to learn from use " in said
    (tmp_path / "net").rename(tmp_path / "gone")  # the file has all that is needed
    net = load_supernet("o.safetensors")
    assert isinstance(net, TextEncoder)
    assert net.embedding_rows == 20
    before = opened(tmp_path / "gone").with_embedding_rows(net.open_data(tmp_path / "data").uses(), 20)
    torch.testing.assert_close(net.tensors[ROWS], before.tensors[ROWS], rtol=0, atol=0)
    assert not torch.equal(net.tensors[WORDS], before.tensors[WORDS])

    mixed = ("--precision", "fp32,int8", "--evals", "8", "--objectives", "accuracy,size", "--out", "p.csv")
    code, said = ran("search", "--supernet", "o.safetensors", "--data", "data", "--evaluate", *mixed)
    assert code == 0, said
    code, said = ran("export", "p.csv", "--row", "1", "--data", "data", "--out", "deploy/")
    assert code == 0, said
    tokenizer = transformers.AutoTokenizer.from_pretrained("deploy")
    assert len(tokenizer) == len(VOCABULARY)
    session = ort.InferenceSession("deploy/model.onnx", providers=["CPUExecutionProvider"])
    session.run(["logits"], dict(tokenizer(list(FEW), padding=True, return_tensors="np")))


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran) -> None:
    save(tmp_path / "net", "bert", classes=None)
    write_texts(tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    own = ("--supernet", "hf:net", "--data", "data")
    for rows, words, complaint in (
        ("0", own, "--embedding-rows"),
        ("20", ("--supernet", "digits"), "--embedding-rows: a pretrained network learns from your data"),
        ("20", (*own, "--front", "f.csv"), "--embedding-rows 20: the front's network has all rows"),
    ):
        code, said = ran("train", *words, *ONE_STEP, "--embedding-rows", rows)
        assert (code, complaint in said) == (2, True), said
    code, said = ran("train", *own, *ONE_STEP, "--embedding-rows", "25")
    assert (code, "embeddings: all 25 rows stay" in said) == (0, True), said
    assert load_supernet("o.safetensors").space.name == opened(tmp_path / "net").space.name
