"""The largest subnet is the original: logits equal those of ``transformers``, with padding, sorted, and reopened."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from hwnas.space import network_inputs
from hwnas.supernet import Supernet, export_onnx, extremes, get_supernet, load_supernet
from hwnas.supernet.hf import TextEncoder
from hwnas.supernet.hf._inputs import TextInput
from tests.supernet.hf.conftest import VOCABULARY, save

CASES: dict[str, tuple[str, dict[str, int]]] = {
    "bert": ("bert", {"type_vocab_size": 2}),
    "camembert": ("camembert", {"type_vocab_size": 1}),
    "distilbert": ("distilbert", {}),
    "electra": ("electra", {"embedding_size": 32}),
    "electra-narrow": ("electra", {"embedding_size": 24}),
    "roberta": ("roberta", {"type_vocab_size": 1}),
    "xlm-roberta": ("xlm-roberta", {"type_vocab_size": 1}),
}


def padded(net: Supernet, length: int = 16, n: int = 5) -> dict[str, torch.Tensor]:
    """Texts of several lengths, filled up with padding; of two segments each, if the network tells these apart."""
    assert isinstance(net, TextEncoder)
    assert isinstance(net.family.fed, TextInput)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, len(VOCABULARY), (n, length), generator=generator)
    mask = (torch.arange(length) < torch.tensor([length, 3, 1, 9, 15])[:n, None]).long()
    drawn = {
        "input_ids": ids * mask,
        "attention_mask": mask,
        "token_type_ids": (torch.arange(length) > 6).long() * mask * int(net.family.fed.segments > 1),
    }
    row = net.space.restrict(l=length).encode(net.space.decode(largest(net, length)))
    return {name: drawn[name] for name in network_inputs(net.network(row))}


def largest(net: Supernet, length: int = 16):
    return extremes(net.space.restrict(l=length))[1]


def logits(net: Supernet, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return net.forward(largest(net), batch)


@pytest.mark.parametrize("case", CASES)
def test_the_largest_subnet_is_the_original(case: str, tmp_path: Path):
    kind, settings = CASES[case]
    original = save(tmp_path, kind, **settings)
    net = load_supernet(f"hf:{tmp_path}")
    assert not net.head_is_new
    assert net.labels == ("class 0", "class 1", "class 2")
    batch = padded(net)
    with torch.no_grad():
        expected = original(**batch).logits
    torch.testing.assert_close(logits(net, batch), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_sorting_heads_neurons_and_channels_changes_nothing_of_the_largest(case: str, tmp_path: Path):
    kind, settings = CASES[case]
    save(tmp_path, kind, **settings)
    net = load_supernet(f"hf:{tmp_path}")
    assert isinstance(net, TextEncoder)
    net = net.with_widths([16, 24])
    batch = padded(net)
    before = logits(net, batch)
    generator = torch.Generator().manual_seed(3)
    moved = 0
    for units in net.units():
        width = min(net.tensors[f"{reader}.weight"].shape[1] for reader in units.readers)
        importance = torch.rand(width // units.size, generator=generator)
        others = units.sorted(net.tensors, importance)
        moved += sum(not torch.equal(other, net.tensors[name]) for name, other in others.items())
        net.tensors |= others
    assert moved > 4 * 6 + 4 * 12
    torch.testing.assert_close(logits(net, batch), before, rtol=1e-5, atol=1e-5)
    for row in extremes(net.space):
        assert export_onnx(net.extract(row), tmp_path / "subnet.onnx").difference.largest < 1e-4


def test_importance_is_what_the_loss_loses_to_first_order(tmp_path: Path):
    save(tmp_path, "bert")
    net = load_supernet(f"hf:{tmp_path}")
    batch = padded(net)

    def loss(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(
            net.alike(tensors).forward(largest(net), batch), torch.tensor([0, 1, 2, 0, 1])
        )

    step = 1e-3
    for units in net.units()[2:4]:
        (reader,) = units.readers
        name = f"{reader}.weight"
        weight = net.tensors[name].double()
        doubles = {key: tensor.double() for key, tensor in net.tensors.items()}
        weight.requires_grad_()
        loss(doubles | {name: weight}).backward()
        assert weight.grad is not None
        told = units.importance(weight.detach(), weight.grad)
        for unit in (0, 2):
            scale = torch.ones(weight.shape[1], dtype=torch.float64)
            scale[unit * units.size : (unit + 1) * units.size] -= step
            with torch.no_grad():
                change = (loss(doubles | {name: weight * scale}) - loss(doubles)) / step
            torch.testing.assert_close(told[unit], change.abs(), rtol=1e-2, atol=1e-6)


def test_padding_that_all_texts_share_is_not_computed(tmp_path: Path):
    save(tmp_path, "bert")
    net = load_supernet(f"hf:{tmp_path}")
    batch = padded(net)
    batch["attention_mask"][:, 5:] = 0
    with FlopCounterMode(display=False) as whole:
        logits(net, batch)
    with FlopCounterMode(display=False) as short:
        found = logits(net, {name: tensor[:, :5] for name, tensor in batch.items()})
    assert whole.get_total_flops() == short.get_total_flops()
    filled = batch | {"input_ids": batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 1)}
    assert torch.equal(logits(net, filled), found)


@pytest.mark.parametrize("case", CASES)
def test_a_folder_without_head_gets_a_new_one_on_the_mean_of_tokens(case: str, tmp_path: Path):
    kind, settings = CASES[case]
    original = save(tmp_path, kind, classes=None, **settings)
    net = load_supernet(f"hf:{tmp_path}")
    assert net.head_is_new
    batch = padded(net)
    with torch.no_grad():
        states = original(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    mean = (states * mask).sum(1) / mask.sum(1)
    head = net.tensors["head/classifier.weight"], net.tensors["head/classifier.bias"]
    torch.testing.assert_close(logits(net, batch), torch.nn.functional.linear(mean, *head), rtol=1e-5, atol=1e-6)


def test_a_head_that_tells_single_tokens_apart_is_none_of_texts(tmp_path: Path):
    save(tmp_path, "bert")
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({name: t for name, t in tensors.items() if "pooler" not in name}, tmp_path / "model.safetensors")
    net = load_supernet(f"hf:{tmp_path}")
    assert net.head_is_new
    assert net.labels == ()


def test_pickled_weights_are_read_as_tensors_alone(tmp_path: Path):
    save(tmp_path, "bert")
    digest = load_supernet(f"hf:{tmp_path}").digest
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    assert load_supernet(f"hf:{tmp_path}").digest == digest


def test_a_saved_network_needs_no_folder(tmp_path: Path):
    folder = tmp_path / "net"
    save(folder, "bert")
    net = load_supernet(f"hf:{folder}").with_head(["yes", "no"])
    batch = padded(net)
    expected = logits(net, batch)
    net.save(tmp_path / "own.safetensors")
    folder.rename(tmp_path / "gone")
    other = load_supernet(str(tmp_path / "own.safetensors"))
    assert (other.labels, other.space.name, other.digest) == (("yes", "no"), net.space.name, net.digest)
    assert torch.equal(logits(other, batch), expected)
    assert isinstance(other, TextEncoder)
    assert other.tokenizer().vocabulary_size == len(VOCABULARY)
    assert get_supernet(str(tmp_path / "own.safetensors")) is type(other)
