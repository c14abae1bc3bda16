"""Decoders whose blocks have precisions of their own: torch, which scores them, computes what their graph computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from hwnas.graph import build_model, in_precision, mixed_space, network_model, size_cost, weight_shapes
from hwnas.space import SearchSpace
from hwnas.supernet import Moved, Supernet, folded_weights, load_supernet, parent_row, replacements
from hwnas.task import Parent
from tests.supernet.hf.decoder.conftest import WORDS, ids, save
from tests.supernet.hf.decoder.test_deploy import steps

ALL = "fp32+int8+int4"
SIZES = {"hidden_size": 32, "num_attention_heads": 4}


@pytest.fixture(scope="module", params=["llama", "mistral"], ids=["tied", "untied"])
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Supernet:
    folder = tmp_path_factory.mktemp(request.param)
    save(folder, request.param, **SIZES)
    return load_supernet(f"hf:{folder}").in_precision(ALL)


def in_all(space: SearchSpace, precision: str) -> Any:
    """The parent with everything in one precision."""
    row = parent_row(space)
    for column in space.groups["q"]:
        row[column] = space.genes[column].choices.index(precision)
    return row


def session(net: Supernet, row: Any, precision: str = ALL) -> ort.InferenceSession:
    subnet = net.extract(row)
    model = in_precision(build_model(subnet.network, weights=folded_weights(subnet)), precision)
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_torch_scores_the_numbers_that_the_graph_computes(net: Supernet) -> None:
    """But for activations that either rounds the other way, of which all later tokens of that text learn."""
    space, texts = net.space, ids(2, 7)
    plain = load_supernet(net.reference)
    assert space.fingerprint == mixed_space(plain.space, ALL).fingerprint
    off, rounded = [], []
    for row in [*space.sample(3, np.random.default_rng(0)), in_all(space, "int4"), in_all(space, "int8")]:
        with torch.no_grad():
            expected = net.forward(row, {"input_ids": texts}).numpy()
            real = plain.forward(row[: plain.space.n_genes], {"input_ids": texts}).numpy()
        found = steps(session(net, row), texts, first=4)
        off.append(np.abs(found - expected) / np.abs(expected).max())
        rounded.append(np.median(np.abs(found - real)) / np.abs(expected).max())
    assert np.max(off) < 0.05
    assert np.median(off) < 1e-5
    assert np.median(off) < 0.02 * min(rounded)


def test_what_is_timed_in_fp32_has_all_weights_in_fp32(net: Supernet) -> None:
    plain = load_supernet(net.reference)
    network = plain.space.network(parent_row(plain.space))
    timed = onnx.load_from_string(network_model(network).content)
    assert "MatMulNBits" not in {node.op_type for node in timed.graph.node}
    kept = {tensor.name: tensor.data_type for tensor in timed.graph.initializer}
    assert {kept[name] for name in weight_shapes(network) if name in kept} == {onnx.TensorProto.FLOAT}


def test_no_token_depends_on_those_after_it_in_any_precision(net: Supernet) -> None:
    """A range of a whole prompt, as other networks' int8 has, would let it."""
    texts = ids(1, 9)
    for precision in ("int8", "int4"):
        told = session(net, parent_row(net.space), precision)
        whole, alone = steps(told, texts, first=9), steps(told, texts[:, :5], first=1)
        np.testing.assert_allclose(whole[:, :5], alone, rtol=1e-4, atol=1e-4)


def test_the_table_of_words_and_a_tied_head_are_one_choice_and_one_tensor(net: Supernet) -> None:
    space = net.space
    first, last = space.slots[0], space.slots[-1]
    precisions = [[c for c in slot.genes if space.genes[c].role == "precision"] for slot in (first, last)]
    tied = "head/logits.weight" not in net.tensors
    assert (precisions[0] == precisions[1]) == tied
    row = in_all(space, "int4")
    subnet = net.extract(row)
    model = in_precision(build_model(subnet.network, weights=folded_weights(subnet)), ALL)
    tables = [tensor.name for tensor in model.graph.initializer if len(WORDS) in tensor.dims]
    assert len(tables) == (2 if tied else 4)  # integers and scales
    for each in (row, parent_row(space)):
        built = build_model(space.network(each))
        told = size_cost(space)(each[None])[0]
        assert told == pytest.approx(len(in_precision(built, ALL).SerializeToString()), rel=0.03, abs=2500)


def test_every_form_of_every_block_is_scored_once_in_every_precision(net: Supernet) -> None:
    space, parent = net.space, parent_row(net.space)
    rows = replacements(space)
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert (space.canonical(rows) == rows).all()
    attentions, ffns = 3 * (2 * 3 + 1 - 1), 3 * (4 * 3 + 1 - 1)
    ends = 2 if "head/logits.weight" not in net.tensors else 2 + 2
    assert len(rows) == attentions + ffns + ends
    text = ids(3, 11)
    batches = [(text[:, :-1], text[:, 1:])]
    moved = Moved(net, batches)
    with torch.no_grad():
        whole = Parent(net.forward(parent, {"input_ids": batches[0][0]}), batches[0][1])
        for row in [*rows[::3], rows[-1]]:
            expected = whole(net.forward(row, {"input_ids": batches[0][0]}))
            assert moved(0, row).kl == pytest.approx(expected.kl, rel=1e-3, abs=1e-5)


def test_files_of_all_precisions_open_again(net: Supernet, tmp_path: Path) -> None:
    net.save(tmp_path / "own.safetensors")
    again = load_supernet(str(tmp_path / "own.safetensors"))
    assert again.in_precision(ALL).space.fingerprint == net.space.fingerprint
