"""Models for timing: short tables of embeddings, and nothing else that is not exported."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from hwnas.graph import build_model, network_model, short_tables
from hwnas.space import Network, get_space
from hwnas.supernet.hf._encoder import Encoder, Head, encoder_space
from hwnas.supernet.hf._inputs import TextInput

ENCODER = Encoder(2, 2, 16, 32, "gelu", 1e-12, norm_first=False, head=Head("mean"), classes=2)
SPACE = encoder_space("toy", ENCODER, TextInput(30_000, 512, 2, (8, 256)))


def network(length: int) -> Network:
    part = SPACE.restrict(l=length)
    return part.network(part.sample(1, np.random.default_rng(0))[0])


@pytest.mark.parametrize(("length", "batch", "rows"), [(8, 1, 1024), (256, 1, 2048), (256, 4, 8192), (256, 64, 30_000)])
def test_as_many_rows_are_left_as_the_ids_of_a_run_need(length: int, batch: int, rows: int) -> None:
    model = network_model(network(length), batch=batch)
    found = {t.name: tuple(t.dims) for t in onnx.load_model_from_string(model.content).graph.initializer}
    assert found["embeddings/words.weight"] == (rows, 16)
    ids = model.feed()["input_ids"]
    assert ids.shape == (batch, length)
    assert rows / 2 < ids.max() < rows


def test_nothing_else_differs_from_what_is_exported() -> None:
    timed = onnx.load_model_from_string(network_model(network(8)).content).graph
    exported = build_model(network(8)).graph
    assert [n.SerializeToString() for n in timed.node] == [n.SerializeToString() for n in exported.node]
    sizes = [{t.name: tuple(t.dims) for t in graph.initializer} for graph in (timed, exported)]
    assert {name for name in sizes[0] if sizes[0][name] != sizes[1][name]} == {"embeddings/words.weight"}
    short = short_tables(network(8))
    assert short_tables(short) == short
    assert [layer.key for _, layer in short] == [layer.key for _, layer in network(8)]


def test_networks_without_embeddings_are_what_they_were() -> None:
    digits = get_space("digits")
    of_digits = digits.network(np.zeros(digits.n_genes, dtype=np.int16))
    assert short_tables(of_digits) is of_digits
