"""Subnets with fewer channels between layers: they are the networks that ``transformers`` makes of the kept weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import save_file

from hwnas.cli import main
from hwnas.errors import SupernetError
from hwnas.space import macs_cost, network_inputs, params_cost
from hwnas.supernet import Supernet, Units, extremes, load_supernet
from hwnas.supernet.hf import ImageEncoder, TextEncoder
from hwnas.supernet.hf._supernet import EncoderSupernet
from hwnas.supernet.hf._weights import _keys
from hwnas.supernet.train._importance import importance
from tests.supernet.hf.conftest import ROBERTAS, VOCABULARY, save, save_images, write_texts

transformers = pytest.importorskip("transformers", reason="parity needs transformers")

HALF: dict[str, dict[str, Any]] = {
    "bert": {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24},
    "distilbert": {"dim": 16, "n_heads": 2, "hidden_dim": 24},
    "dinov2": {"hidden_size": 16, "num_attention_heads": 2, "mlp_ratio": 4, "use_mask_token": False},
    "electra": {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24},
    "vit": {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24},
    "deit": {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24},
}
HALF |= dict.fromkeys(ROBERTAS, HALF["bert"])


def opened(folder: Path) -> EncoderSupernet:
    """Of 32 channels; its subnets may have 16 or 24."""
    net = load_supernet(f"hf:{folder}")
    assert isinstance(net, EncoderSupernet)
    return net.with_widths([16, 24])


def half(net: EncoderSupernet) -> Any:
    """The subnet with half of everything but layers; heads keep their size, so its shapes are a smaller configuration's."""
    return extremes(net.space.restrict(c=16, h=2, f=net.family.encoder.ffn // 2))[1]


def small(net: EncoderSupernet, maker: Any, original: Any, folder: Path) -> Any:
    """The subnet as ``transformers`` reads it: a smaller configuration with the weights that are kept."""
    config = original.config.__class__(**original.config.to_dict() | HALF[original.config.model_type])
    config.save_pretrained(folder)
    theirs = {}
    for name, tensor in net.weights(half(net)).items():
        keys = _keys(name, net.family)
        two = len(keys) == 2 and tensor.dim() == 2  # a map of two tokens is the mean of two maps
        for part, (key, *_) in zip((2 * tensor).chunk(2, dim=1) if two else [tensor] * 2, keys, strict=False):
            theirs[key] = part.clone(memory_format=torch.contiguous_format)
    for key in [key for key in theirs if "position_embeddings" in key]:
        theirs[key] = torch.cat([torch.zeros(net.family.first_position, theirs[key].shape[1]), theirs[key]])
    if "head/norm" in net.family.names:  # images: learned tokens and positions have a batch axis and no ".weight"
        for key in [key for key in theirs if "_token" in key or "position_embeddings" in key]:
            tensor = theirs.pop(key)
            theirs[key.removesuffix(".weight")] = tensor.reshape(1, -1, 16)
    for layer in range(net.family.encoder.layers):  # scales of what a layer adds are in its weights already
        for scale in net.family.scales.values():
            theirs[net.family.prefix + scale.replace("{i}", str(layer))] = torch.ones(16)
    save_file(theirs, folder / "model.safetensors", {"format": "pt"})
    made, told = maker.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    assert all("pooler" in key for key in told["missing_keys"]), told
    return made.eval()


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", *ROBERTAS])
def test_a_narrow_subnet_of_texts_is_the_network_of_the_kept_weights(kind: str, tmp_path: Path) -> None:
    net = opened_sorted(tmp_path, original := save(tmp_path, kind, classes=None))
    assert isinstance(net, TextEncoder)
    length = int(net.space.input_values["l"][-1])
    ids = torch.randint(5, len(VOCABULARY), (3, length), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(length) < torch.tensor([[length], [3], [9]])).long()
    fed = {"input_ids": ids, "attention_mask": mask}
    if kind in ROBERTAS:
        fed["input_ids"] = torch.where(mask == 1, ids, 0)  # its positions skip padding
    with torch.no_grad():
        states = small(net, transformers.AutoModel, original, tmp_path / "small")(**fed).last_hidden_state
        wanted = network_inputs(net.network(half(net)))
        found = net.forward(half(net), {name: fed.get(name, torch.zeros_like(ids)) for name in wanted})
    mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    head = net.tensors["head/classifier.weight"][:, :16], net.tensors["head/classifier.bias"]
    torch.testing.assert_close(found, torch.nn.functional.linear(mean, *head), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "taught"), [("vit", False), ("deit", False), ("deit", True), ("dinov2", False)])
def test_a_narrow_subnet_of_images_is_the_network_of_the_kept_weights(kind: str, taught: bool, tmp_path: Path) -> None:
    net = opened_sorted(tmp_path, original := save_images(tmp_path, kind, taught=taught))
    assert isinstance(net, ImageEncoder)
    maker = (
        transformers.DeiTForImageClassificationWithTeacher if taught else transformers.AutoModelForImageClassification
    )
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = small(net, maker, original, tmp_path / "small")(pixel_values=images).logits
        found = net.forward(half(net), images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "taught"), [("deit", True), ("dinov2", False)])
def test_a_head_of_two_vectors_keeps_the_leading_channels_of_each(kind: str, taught: bool, tmp_path: Path) -> None:
    save_images(tmp_path, kind, taught=taught)
    net = opened(tmp_path)
    whole = net.tensors["head/classifier.weight"]
    kept = net.weights(half(net))["head/classifier.weight"]
    torch.testing.assert_close(kept, torch.cat([whole[:, :16], whole[:, 32:48]], dim=1), rtol=0, atol=0)


def opened_sorted(folder: Path, _original: torch.nn.Module) -> EncoderSupernet:
    """The network with its channels in another order, which smaller networks must have kept everywhere alike."""
    net, order = opened(folder), torch.rand(32, generator=torch.Generator().manual_seed(2))
    net.tensors |= channels(net).sorted(net.tensors, order)
    return net


def channels(net: Supernet) -> Units:
    """The last units."""
    units = net.units()[-1]
    assert units.name == "channels"
    return units


def test_channels_are_a_gene_of_the_whole_network(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    plain, net = load_supernet(f"hf:{tmp_path}"), opened(tmp_path)
    assert list(plain.space.groups) == ["d", "h", "f", "l"]
    assert list(net.space.groups) == ["d", "h", "f", "c", "l"]
    assert net.space.name == plain.space.name.replace("x32-", "x32.24.16-") != plain.space.name
    assert net.space.genes[net.space.groups["c"][0]].choices == (16, 24, 32)
    assert set(plain.space.layers()) < set(net.space.layers())  # tables of one serve the other
    assert {layer.output_shape[-1] for slot, layer in net.network(half(net)) if slot != "head"} == {16}
    for cost in (macs_cost, params_cost):
        largest = extremes(net.space)[1]
        assert cost(net.space)(largest[None]) == cost(plain.space)(extremes(plain.space)[1][None])
        assert cost(net.space)(half(net)[None]) < cost(net.space)(extremes(net.space.restrict(h=2, f=24))[1][None])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_narrow_subnet_is_exported(precision: str, tmp_path: Path) -> None:
    save(tmp_path / "net", "bert")
    net, own, out = opened(tmp_path / "net"), tmp_path / "own.safetensors", tmp_path / "x.onnx"
    net.save(own)
    arch = json.dumps(net.space.decode(half(net)))
    with pytest.raises(SystemExit) as end:
        main(["export", "--supernet", str(own), "--arch", arch, "--precision", precision, "--out", str(out)])
    assert end.value.code == 0
    fed = {name: torch.ones(2, 5, dtype=torch.int64) for name in net.extract(half(net)).inputs}
    session = ort.InferenceSession(out, providers=["CPUExecutionProvider"])
    [logits] = session.run(["logits"], {name: tensor.numpy() for name, tensor in fed.items()})
    with torch.no_grad():
        expected = net.forward(half(net), fed)
    close = 1e-4 if precision == "fp32" else 0.5 * float(expected.abs().max())
    np.testing.assert_allclose(logits, expected.numpy(), atol=close)


def test_importance_of_channels_counts_every_reader(tmp_path: Path) -> None:
    save_images(tmp_path, "deit", taught=True)
    net = opened(tmp_path)
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    row = extremes(net.space)[1]
    loss_of = torch.nn.functional.cross_entropy
    told = importance(net, row, [(images, labels)], loss_of)[channels(net)]
    expected = torch.zeros(32)
    for reader in channels(net).readers:
        weight = net.tensors[f"{reader}.weight"].clone().requires_grad_()
        loss = loss_of(net.alike(net.tensors | {f"{reader}.weight": weight}).forward(row, images, "train"), labels)
        (gradient,) = torch.autograd.grad(loss, weight)
        for start in range(0, weight.shape[1], 32):
            part = slice(start, start + 32)
            expected += (weight[:, part] * gradient[:, part]).sum(0).abs().detach()
    torch.testing.assert_close(told, expected, rtol=1e-4, atol=1e-6)
    assert len(channels(net).readers) == 4 * 4 + 1


def test_a_saved_network_keeps_its_widths(tmp_path: Path) -> None:
    save(tmp_path / "net", "bert")
    net = opened(tmp_path / "net")
    net.save(tmp_path / "own.safetensors")
    other = load_supernet(str(tmp_path / "own.safetensors"))
    assert (other.space.fingerprint, other.digest) == (net.space.fingerprint, net.digest)
    assert isinstance(other, TextEncoder)
    assert other.with_widths([]).space.name == load_supernet(f"hf:{tmp_path / 'net'}").space.name


def test_widths_that_the_network_cannot_have_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "bert")
    for width in (0, 33, -4):
        with pytest.raises(SupernetError, match=f"hidden width {width}: the network has 32 channels"):
            opened(tmp_path).with_widths([16, width])


def test_they_are_asked_for_where_the_network_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Callable[..., tuple[object, str]]
) -> None:
    save(tmp_path / "net", "bert", classes=None)
    write_texts(tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    def train(supernet: str, widths: str, *data: str) -> tuple[object, str]:
        options = ("--steps", "2", "--hidden-widths", widths, "--out", "o.safetensors")
        return ran("train", "--supernet", supernet, *data, *options)

    data = ("--data", "data")
    assert train("hf:net", "16,24", *data)[0] == 0
    net = load_supernet("o.safetensors")
    assert net.space.genes[net.space.groups["c"][0]].choices == (16, 24, 32)
    for given, complaint in {
        ("hf:net", "16,x", *data): "--hidden-widths 16,x: they are whole numbers",
        ("hf:net", "64", *data): "hidden width 64: the network has 32 channels; give some of them: 16,24",
        ("digits", "8"): "--hidden-widths: a pretrained network learns from your data; add --data FOLDER",
    }.items():
        code, said = train(*given)
        assert (code, complaint in said) == (2, True), said
