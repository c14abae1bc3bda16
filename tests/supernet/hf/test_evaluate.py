"""Encoders in onnxruntime: texts of any length, sorted and cut where they are padding, decided as torch decides them."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.executor import Where
from hwnas.graph import activation_ranges, build_model
from hwnas.space import Population
from hwnas.study import Evaluation
from hwnas.study._workers import Evaluating
from hwnas.supernet import Supernet, evaluate, extremes, folded_weights, forward, get_engine, load_supernet
from hwnas.supernet._feeds import feeds, ranges_on
from hwnas.supernet.engine._narrowed import narrowed
from hwnas.task import Inputs, Sampling, SelectiveTask
from tests.supernet.hf.conftest import save, save_images, write_texts
from tests.supernet.hf.test_parity import CASES, largest, padded


@pytest.mark.parametrize("case", CASES)
def test_texts_are_told_apart_as_torch_does_and_nothing_is_calibrated(case: str, tmp_path: Path) -> None:
    kind, settings = CASES[case]
    save(tmp_path / "net", kind, classes=2, **settings)
    write_texts(tmp_path / "data", 200)
    net = load_supernet(f"hf:{tmp_path / 'net'}").with_head(("negative", "positive"))
    data = net.open_data(tmp_path / "data", Sampling(batch_size=64))
    row = largest(net, 16)
    found, expected = (evaluate(net, row, data, get_engine(name)) for name in ("onnxruntime", "torch"))
    assert found == expected
    assert (found.n_images, found.n_calibration) == (100, 0)
    subnet = net.extract(row)
    assert isinstance(data, SelectiveTask)
    mixed = torch.randperm(100, generator=torch.Generator().manual_seed(0)).tolist()
    for inputs, _ in data.validation_of(subnet.inputs, mixed):
        assert not isinstance(inputs, torch.Tensor)
        assert len(set(inputs["attention_mask"].sum(1).tolist())) > 3
        logits, plain = (get_engine(name).runner(subnet)(inputs) for name in ("onnxruntime", "torch"))
        torch.testing.assert_close(logits, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [("vocab.txt", "good\nbad", "bad\ngood", "tokenizer"), ("preprocessor_config.json", "0.5", "0.4", "preprocessing")],
)
def test_what_turns_files_into_inputs_is_told_apart(file: str, old: str, new: str, told: str, tmp_path: Path) -> None:
    """Though it stands beside equal weights: accuracies in a journal are of the other one."""
    if told == "tokenizer":
        save(tmp_path / "net", "bert", classes=2)
        write_texts(tmp_path / "data")
        config = tmp_path / "net" / "config.json"
        config.write_text(config.read_text().replace("class 0", "negative").replace("class 1", "positive"))
    else:
        save_images(tmp_path / "net", "vit", classes=2)
        for label in ("class 0", "class 1"):
            (tmp_path / "data" / "val" / label).mkdir(parents=True)
            Image.new("RGB", (9, 9)).save(tmp_path / "data" / "val" / label / "a.png")

    def identity(folder: Path) -> dict[str, object]:
        net = load_supernet(f"hf:{folder}")
        asked = Evaluation("it", data=tmp_path / "data")
        return {**asked.samples(net)[1], "weights": net.digest}

    edited = tmp_path / "edited"
    shutil.copytree(tmp_path / "net", edited)
    (edited / file).write_text((edited / file).read_text().replace(old, new))
    before, after = identity(tmp_path / "net"), identity(edited)
    assert {key for key in before if before[key] != after[key]} == {told}


def test_a_node_of_a_cluster_knows_what_the_driver_calls_its_classes(tmp_path: Path) -> None:
    save(tmp_path / "net", "bert", classes=2)
    write_texts(tmp_path / "data", 20)
    net = load_supernet(f"hf:{tmp_path / 'net'}").with_head(("negative", "positive"))
    net.head_is_new = False
    net.save(tmp_path / "own.safetensors")
    asked = Evaluation(str(tmp_path / "own.safetensors"), data=tmp_path / "data", where=Where(cluster="auto"))
    sent = pickle.loads(pickle.dumps(Evaluating.of(asked)))  # as Ray does
    row = largest(net, 16)
    assert sent(None)(row) == evaluate(net, row, asked.samples(asked.net)[0])


def assert_narrow_and_alike(net: Supernet, row: Population, inputs: Inputs, tokens: int, wanted: int) -> None:
    """Of the last layer, keys and values are made of all tokens; queries, sums, norms and the FFN of the wanted ones."""
    subnet = net.extract(row)
    network = narrowed(subnet.network)
    (_, last), (_, whole) = network[-2], subnet.network[-2]
    assert network[:-2] == subnet.network[:-2]
    assert max(op.shape[0] for op in whole.ops if op.macs) == tokens
    shapes = {op.name: op.shape[0] for op in last.ops if op.macs}
    assert {name for name, n in shapes.items() if n == tokens} == {"key", "value"}
    assert {n for name, n in shapes.items() if name not in ("key", "value")} == {wanted}
    with torch.no_grad():
        expected, logits = (forward(n, subnet.weights(), inputs) for n in (subnet.network, network))
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(get_engine("onnxruntime").runner(subnet)(inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_the_last_layer_of_texts_computes_the_token_that_the_head_reads(case: str, tmp_path: Path) -> None:
    kind, settings = CASES[case]
    save(tmp_path, kind, **settings)
    net = load_supernet(f"hf:{tmp_path}")
    for row in extremes(net.space.restrict(l=16)):
        assert_narrow_and_alike(net, row, padded(net), 16, 1)


@pytest.mark.parametrize(("kind", "taught", "wanted"), [("vit", False, 1), ("deit", True, 2)])
def test_so_does_that_of_images(kind: str, wanted: int, taught: bool, tmp_path: Path) -> None:
    save_images(tmp_path, kind, taught=taught)
    net = load_supernet(f"hf:{tmp_path}")
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert_narrow_and_alike(net, extremes(net.space.restrict(r=32))[1], images, 16 + wanted, wanted)


def test_a_head_that_reads_every_token_and_precisions_of_layers_leave_a_network_whole(tmp_path: Path) -> None:
    save(tmp_path, "bert", classes=None)
    net = load_supernet(f"hf:{tmp_path}").with_head(("negative", "positive"))
    mean = net.network(largest(net, 16))
    assert narrowed(mean) == mean
    save_images(tmp_path / "both", "dinov2")
    net = load_supernet(f"hf:{tmp_path / 'both'}")
    both = net.network(extremes(net.space)[1])
    assert narrowed(both) == both
    save(tmp_path / "first", "bert")
    net = load_supernet(f"hf:{tmp_path / 'first'}")
    mixed = [(slot, layer.in_precision("int8")) for slot, layer in net.network(largest(net, 16))]
    assert narrowed(mixed) == mixed


def test_ranges_of_texts_are_seen_without_their_padding(tmp_path: Path) -> None:
    save(tmp_path / "net", "bert", classes=2)
    write_texts(tmp_path / "data", 60)
    net = load_supernet(f"hf:{tmp_path / 'net'}").with_head(("negative", "positive"))
    data = net.open_data(tmp_path / "data", Sampling(batch_size=20))
    subnet = net.extract(largest(net, 16))
    model = build_model(subnet.network, weights=folded_weights(subnet))
    batches = list(data.calibration(subnet.inputs))
    seen = ranges_on(model, subnet.network, batches)
    expected = activation_ranges(model, map(feeds, batches))
    assert seen.keys() == expected.keys()
    assert seen
    for name, ends in expected.items():
        np.testing.assert_allclose(seen[name], ends, rtol=1e-4, atol=1e-5)
