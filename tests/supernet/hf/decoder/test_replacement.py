"""Divergence of parts of a decoder from the whole, against whole passes of both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.space import network_inputs
from hwnas.supernet import (
    Moved,
    Supernet,
    by_activity,
    first_replaced,
    lessons,
    load_supernet,
    parent_row,
    replacements,
    taught,
)
from hwnas.task import Parent, prompt
from tests.supernet.hf.decoder.conftest import WORDS, save


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Supernet:
    folder = tmp_path_factory.mktemp("llama")
    save(folder, "llama", num_key_value_heads=6)
    return load_supernet(f"hf:{folder}")


@pytest.fixture(scope="module")
def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, len(WORDS), (3, 2, 10)))
    return [(batch[:, :-1], batch[:, 1:]) for batch in ids]


def test_every_alternative_of_every_block_is_a_replacement(net: Supernet) -> None:
    rows, parent = replacements(net.space), parent_row(net.space)
    assert [net.space.decode(parent)[gene] for gene in "af"] == [[6, 6, 6], [32, 32, 32]]
    assert ((rows != parent).sum(1) == 1).all()
    assert len(np.unique(rows, axis=0)) == len(rows) == 3 * (3 + 4)
    places = [net.space.slots[first_replaced(net.space, row)].name for row in rows]
    assert places[0] == "layer.0.attention"
    assert places[-1] == "layer.2.ffn"


def test_running_on_from_the_first_replaced_block_gives_what_whole_passes_give(net: Supernet, batches) -> None:
    moved, parent, space = Moved(net, batches), parent_row(net.space), net.space
    rng = np.random.default_rng(1)
    rows = [*replacements(space), parent, *space.sample(6, rng)]
    for at, (ids, following) in enumerate(batches):
        with torch.no_grad():
            whole = Parent(net.forward(parent, {"input_ids": ids}), following)
            for row in rows:
                told, expected = moved(at, row), whole(net.forward(row, {"input_ids": ids}))
                assert told.kl == pytest.approx(expected.kl, rel=1e-3, abs=1e-5)
                assert told.perplexity == pytest.approx(expected.perplexity, rel=1e-4)
                assert (told.tokens, told.agreed) == (ids.numel(), expected.agreed)
    assert moved(0, parent).kl == pytest.approx(0, abs=1e-6)
    assert moved(0, parent).agreement_pct == 100


def test_neurons_that_do_most_come_first(net: Supernet, batches) -> None:
    ids, following = batches[0]
    other, row = by_activity(net, batches), parent_row(net.space)
    narrow = row.copy()
    narrow[net.space.groups["f"]] = 1
    with torch.no_grad():
        before, after = (each.forward(row, {"input_ids": ids}) for each in (net, other))
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
        parent = Parent(before, following)
        worse, better = (parent(each.forward(narrow, {"input_ids": ids})).kl for each in (net, other))
    assert better < worse
    gate = "layer.1.ffn/gate.weight"
    assert not torch.equal(other.tensors[gate], net.tensors[gate])
    assert torch.equal(other.tensors[gate].sort(0).values, net.tensors[gate].sort(0).values)
    assert torch.equal(by_activity(other, batches).tensors[gate], other.tensors[gate])


def test_alternatives_learn_what_the_parents_blocks_do_and_keep_it_in_a_file(net, batches, tmp_path) -> None:
    found = {lesson.slot: lesson for lesson in lessons(net, batches)}
    assert [*found] == [f"layer.{i}.{part}" for i in range(3) for part in ("attention", "ffn")]
    assert [*found["layer.1.ffn"].alternatives] == [1, 2, 3]  # 8, 16 and 24 neurons of 32; none cannot learn
    own, before, after = taught(net, found["layer.1.ffn"], 2, steps=200)
    assert {name: tuple(t.shape) for name, t in own.items()} == {
        f"layer.1.ffn/{op}.weight": shape for op, shape in {"gate": (16, 24), "up": (16, 24), "down": (24, 16)}.items()
    }
    assert after < 0.8 * before
    heads, *_ = taught(net, found["layer.0.attention"], 1, steps=5)
    assert {*heads} == {"layer.0.attention/key.weight", "layer.0.attention/value.weight"}
    assert taught(net, found["layer.1.ffn"], 2, steps=200)[1:] == (before, after)

    other = net.alike(net.tensors | net.own(own))
    other.save(tmp_path / "taught.safetensors")
    read = load_supernet(str(tmp_path / "taught.safetensors"))
    assert read.digest == other.digest != net.digest
    row = parent_row(net.space)
    weights = {name: tuple(t.shape) for name, t in read.weights(row).items()}
    assert weights == {name: tuple(t.shape) for name, t in net.weights(row).items()}
    column = net.space.groups["f"][1]
    for choice in (1, 2, 3):  # only one has learned
        row[column] = choice
        told = [Moved(each, batches)(0, row).kl for each in (net, other, read)]
        assert told[1] == told[2]
        assert (told[1] < told[0]) if choice == 2 else (told[1] == told[0])
        torch.testing.assert_close(
            read.extract(row)(prompt(network_inputs(read.network(row)), batches[0][0])),
            read.forward(row, {"input_ids": batches[0][0]}),
        )
