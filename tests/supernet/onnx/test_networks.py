"""Published architectures, exported from torch, as supernets: the largest subnet is the network, a smaller one a part of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from hwnas.errors import SupernetError
from hwnas.space import Population, macs_cost
from hwnas.space.ops import Conv, GroupNorm
from hwnas.supernet import Supernet, extremes, get_supernet, load_supernet, onnx_model, recalibrate
from hwnas.supernet.onnx import elastic_file, outlined_network
from hwnas.supernet.onnx._group import Group, Place
from hwnas.task import Inputs, Score, Specs, top1
from tests.convolutional import NETWORKS, SIZE, Residual, exported, network

GENES = {
    "resnet18": {"e": 8, "d": 4, "r": 1},
    "resnet50": {"e": 11, "d": 4, "r": 1},
    "resnext": {"e": 7, "d": 3, "r": 1},
    "res2net": {"e": 3, "d": 1, "r": 1},
    "resnet_gn": {"e": 8, "d": 4, "r": 1},
    "bit": {"e": 7, "d": 3, "r": 1},
    "nfnet": {"e": 6, "d": 2, "r": 1},
    "mobilenet_v2": {"e": 18, "d": 5, "r": 1},
    "mobilenet_v3": {"ks": 5, "e": 13, "d": 5, "r": 1},
    "mobilefacenet": {"e": 5, "d": 2, "r": 1},
    "convnext": {"ks": 10, "e": 10, "d": 4, "r": 1},
    "convnext_v2": {"ks": 5, "e": 5, "d": 2, "r": 1},
    "attentive": {"e": 4, "d": 2, "r": 1},
    "hrnet": {"e": 3, "r": 1},
    "convmixer": {"ks": 4, "e": 1, "r": 1},
    "poolformer": {"e": 6, "d": 2, "r": 1},
    "squeezenet": {"e": 5, "r": 1},
    "shufflenet_v2": {"e": 17, "r": 1},
    "densenet": {"e": 10, "r": 1},
    "cspdarknet": {"e": 3, "r": 1},
    "googlenet": {"e": 4, "r": 1},
    "inception_v3": {"e": 3, "r": 1},
    "repvgg": {"e": 3, "r": 1},
    "vovnet": {"e": 4, "d": 1, "r": 1},
    "alexnet": {"e": 2, "r": 1},
    "vgg": {"e": 4},
}
"""What is elastic: kernels of 5 and 7 shrink, channels inside blocks, residual blocks, and images where no head flattens."""


@dataclass(frozen=True)
class Exported:
    """An architecture in torch, as a file, and as a supernet."""

    name: str
    module: nn.Module
    file: Path
    net: Supernet
    largest: Population


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    name = request.param
    module = network(name)
    file = exported(module, tmp_path_factory.mktemp("onnx") / f"{name}.onnx", fold=False)
    net = load_supernet(str(file))
    return Exported(name, module, file, net, extremes(net.space)[1])


def images(size: int = SIZE, n: int = 2) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def in_onnxruntime(content: bytes, x: Tensor) -> Tensor:
    session = ort.InferenceSession(content)
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


@torch.no_grad()
def test_the_largest_subnet_is_the_network(case: Exported) -> None:
    x = images()
    expected = in_onnxruntime(case.file.read_bytes(), x)
    close(case.module(x), expected)
    close(case.net.forward(case.largest, x), expected)
    model = onnx_model(case.net.extract(case.largest)).model
    close(in_onnxruntime(model.SerializeToString(), x), expected)


def test_folded_batch_norms_make_no_difference(case: Exported, tmp_path: Path) -> None:
    file = exported(case.module, tmp_path / case.file.name, fold=True)
    folded, x = load_supernet(str(file)), images()
    assert {k: len(v) for k, v in folded.space.groups.items()} == GENES[case.name]
    assert folded.space.size() == case.net.space.size()
    expected = case.net.forward(case.largest, x)
    close(folded.forward(extremes(folded.space)[1], x), expected)
    assert folded.space.layers().keys() == case.net.space.layers().keys()


class Seen:
    """Images that show what activations are like."""

    metrics: Mapping[str, Score] = {"top1": top1}
    labels: tuple[str, ...] = ()

    def calibration(self, specs: Specs) -> list[Inputs]:
        return [images(specs["input"].shape[1], 6)]

    def validation(self, specs: Specs) -> list[tuple[Inputs, Tensor]]:
        return [(images(specs["input"].shape[1], 6), torch.zeros(6, dtype=torch.int64))]


@torch.no_grad()
def test_batch_norms_come_back(case: Exported, tmp_path: Path) -> None:
    """They change nothing, have the statistics that are seen, and stand in files of weights."""
    file = exported(case.module, tmp_path / case.file.name, fold=True)
    folded = load_supernet(str(file))
    found = folded.adapted(Seen())  # only its calibration is asked for
    if case.name in ("convnext", "convnext_v2", "poolformer", "resnet_gn", "bit"):  # which have other norms
        assert found is folded
        return
    largest, x = extremes(folded.space)[1], images()
    close(found.forward(largest, x), folded.forward(largest, x))
    assert found.space.fingerprint == folded.space.fingerprint
    assert found.space.layers().keys() == folded.space.layers().keys()
    subnet = found.extract(largest)
    stored = {name: tensor.clone() for name, tensor in subnet.named_buffers()}
    assert len(stored) > len(list(folded.extract(largest).named_buffers()))
    recalibrate(subnet, Seen().calibration(subnet.inputs))
    for name, tensor in subnet.named_buffers():
        if case.name not in ("densenet", "convmixer"):  # whose batch norms that stood alone have seen other images
            close(tensor, stored[name])
    assert found.adapted(Seen()) is found
    seven = folded.with_head([str(i) for i in range(7)]).with_metric("f1").adapted(Seen())
    assert (seven.metric, seven.head_is_new) == ("f1", True)
    assert (seven.classes, found.with_head(["a", "b"]).classes) == (7, 2)
    found.save(tmp_path / "own.safetensors")
    close(load_supernet(str(tmp_path / "own.safetensors")).forward(largest, x), folded.forward(largest, x))


@torch.no_grad()
def test_batch_norms_come_back_beside_those_with_another_epsilon(tmp_path: Path) -> None:
    layers = [nn.BatchNorm2d(3, eps=0.1), nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    module = nn.Sequential(
        *layers, nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    net = load_supernet(str(exported(module.eval(), tmp_path / "net.onnx")))
    found, (_, largest), x = net.adapted(Seen()), extremes(net.space), images()
    assert found is not net
    close(found.forward(largest, x), module(x))


def test_what_is_elastic(case: Exported) -> None:
    space = case.net.space
    assert {key: len(columns) for key, columns in space.groups.items()} == GENES[case.name]
    values = {gene.group: set(gene.choices) for gene in space.genes if gene.group in ("ks", "e")}
    assert values["e"] == {0.5, 0.75, 1.0}
    assert max(values.get("ks", {3})) == {"convnext": 7, "convnext_v2": 7, "convmixer": 7, "mobilenet_v3": 5}.get(
        case.name, 3
    )
    smallest, largest = macs_cost(space)(np.stack(extremes(space)))
    assert smallest < largest / (2 if case.name == "vgg" else 5)


def _kept(net: Supernet, row: np.ndarray) -> dict[str, Tensor]:
    """Ones where a subnet takes a number of the shared tensors, zeros elsewhere."""
    ones = {name: torch.ones_like(tensor).requires_grad_() for name, tensor in net.tensors.items()}
    with torch.enable_grad():
        taken = sum(tensor.sum() for tensor in net.alike(ones).weights(row).values())
    assert isinstance(taken, Tensor)
    return dict(zip(ones, torch.autograd.grad(taken, list(ones.values()), materialize_grads=True), strict=True))


@torch.no_grad()
def test_a_subnet_is_the_network_with_the_rest_of_its_weights_zero(case: Exported) -> None:
    """Fewer channels, smaller kernels and dropped blocks, all at once: what is cut away is exactly what zeros would do."""
    space = case.net.space
    for row in space.sample(3, np.random.default_rng(2), distinct_uniform=False):
        if case.name == "convnext_v2":  # whose response norms take the mean over the channels that are there
            row[space.groups["e"]] = case.largest[space.groups["e"]]
        whole = case.largest.copy()
        whole[space.input_genes] = row[space.input_genes]
        kept = _kept(case.net, row)
        zeroed = {name: tensor * kept[name] for name, tensor in case.net.tensors.items()}
        x = images(int(space.decode(row).get("r", SIZE)))
        close(case.net.forward(row, x), case.net.alike(zeroed).forward(whole, x))


@torch.no_grad()
def test_smaller_images_enter_the_same_weights(case: Exported) -> None:
    space = case.net.space
    for column in space.input_genes:
        for choice, size in enumerate(space.genes[column].choices):
            row = case.largest.copy()
            row[column] = choice
            x = images(int(size))
            close(case.net.forward(row, x), case.module(x))


@pytest.mark.parametrize(("mode", "sizes"), [("reflect", [40, 48, 56, 64]), ("circular", [56, 64])])
def test_images_are_no_smaller_than_paddings_take(
    mode: Literal["reflect", "circular"], sizes: list[int], tmp_path: Path
) -> None:
    """Two rows of the last map are mirrored, and it has two at 32 pixels; or taken from its far end, the fourth row."""
    layers = [nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 4, 1), nn.ReLU()]
    layers += [nn.Conv2d(8, 8, 5, padding=2, padding_mode=mode), nn.ReLU()]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    shapes = elastic_file(exported(module, tmp_path / "net.onnx")).shapes
    assert list(shapes) == sizes


def test_an_image_that_is_cut_into_patches_keeps_its_size(tmp_path: Path) -> None:
    """As TResNet begins: pixels become channels, by reshapes that state the numbers of patches."""

    class Patches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(-1, 3, 16, 4, 16, 4).permute(0, 3, 5, 1, 2, 4).reshape(-1, 48, 16, 16)

    module = nn.Sequential(
        Patches(), nn.Conv2d(48, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    assert list(elastic_file(exported(module, tmp_path / "net.onnx")).shapes) == [64]


def test_a_file_of_weights_tells_its_own_network(case: Exported, tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    seven = case.net.with_head([str(i) for i in range(7)])
    assert seven.forward(case.largest, images()).shape == (2, 7)
    seven.save(own)
    found = load_supernet(str(own))
    assert found.digest == seven.digest
    assert found.space.fingerprint == seven.space.fingerprint
    assert found.space.layers().keys() == seven.space.layers().keys()
    assert get_supernet(str(own)).bn_eps == case.net.bn_eps
    assert outlined_network(case.net.outline(), "x") == elastic_file(case.file)


def test_channels_are_in_order_of_importance(case: Exported) -> None:
    network_of = elastic_file(case.file)
    assert any(slot.groups for slot in network_of.slots)
    for slot in network_of.slots:
        for group in slot.groups:
            made, read = np.zeros(group.size), np.zeros(group.size)
            for place in group.makers:
                made += _part(_made(case.net, f"{slot.name}/{slot.ops[place.op].name}"), place, group)
            for place in group.readers:
                weight = case.net.tensors[f"{slot.name}/{slot.ops[place.op].name}.weight"].double()
                columns = weight.unflatten(1, (place.whole, -1)).transpose(0, 1).flatten(1)
                read += _part(columns.norm(dim=1).numpy(), place, group)
            for place in sorted(group.passers):
                if isinstance(op := slot.ops[place.op], GroupNorm):  # which takes away the size of each group
                    rows = made.reshape(-1, op.size)
                    made = (rows / np.sqrt(np.square(rows).sum(1))[:, None]).reshape(-1)
                elif isinstance(op, Conv):  # whose filters read all of their group
                    size = op.in_shape[0] // op.groups
                    made = made.reshape(-1, size).sum(1).repeat(size)
                made *= _part(_made(case.net, f"{slot.name}/{op.name}"), place, group)
            units = (made * read).reshape(-1, group.unit).sum(1)
            assert (np.diff(units) <= 1e-9 * units.max()).all(), slot.name


@torch.no_grad()
def test_group_norms_keep_whole_groups(tmp_path: Path) -> None:
    """Each group of a narrow subnet has the channels of one group of the network, in their order."""
    net = load_supernet(str(exported(network("resnet_gn"), tmp_path / "net.onnx")))
    original = network("resnet_gn")
    blocks = [block for block in original.children() if isinstance(block, Residual)]
    widths = set()
    for row in net.space.sample(8, np.random.default_rng(3)):
        kept = net.weights(row)
        for slot, layer in net.network(row):
            if not slot.startswith("blocks."):
                continue
            filters, norm = next(blocks[int(slot.removeprefix("blocks."))].body.children()).children()
            op = layer.ops[1]
            assert isinstance(op, GroupNorm)
            assert isinstance(filters, nn.Conv2d)
            size = getattr(norm, "num_channels", 1) // getattr(norm, "num_groups", 1)
            assert op.size == size
            whole = filters.weight.reshape(-1, size, *filters.weight.shape[1:])
            for group in kept[f"{slot}/conv1.weight"].split(size):
                same = [torch.equal(group, each) for each in whole]
                assert sum(same) == 1
            widths.add(op.in_shape[0] / len(filters.weight))
    assert widths == {0.5, 0.75, 1.0}


def _part(sizes: np.ndarray, place: Place, group: Group) -> np.ndarray:
    return sizes[place.start : place.start + group.size]


def _made(net: Supernet, op: str) -> np.ndarray:
    """How much an op makes of each channel, its batch norm counted in."""
    own = {name.removeprefix(f"{op}."): t.double() for name, t in net.tensors.items() if name.startswith(f"{op}.")}
    if "slope" in own:  # says nothing of the positive side
        return np.ones(len(own["slope"]))
    size = own["weight"].reshape(len(own["weight"]), -1).norm(dim=1)
    if "bn.weight" in own:
        size = size * own["bn.weight"].abs() / (own["bn.running_var"] + net.bn_eps).sqrt()
    if "running_var" in own:
        size = size / (own["running_var"] + net.bn_eps).sqrt()
    return size.numpy()


def test_a_network_of_which_nothing_can_be_smaller_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 10))
    file = exported(network, tmp_path / "flat.onnx")
    with pytest.raises(SupernetError, match=r"no part of it can be smaller: .*; pass a deeper network"):
        elastic_file(file)


def test_the_space_of_a_file_takes_no_torch(tmp_path: Path) -> None:
    file = exported(network("vgg"), tmp_path / "vgg.onnx")
    code = (
        "import sys; from hwnas.supernet import reference_kind; "
        f"print(reference_kind({str(file)!r}).space().size(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(elastic_file(file).space.size()), "False"]


def test_a_file_of_the_same_name_and_time_in_another_folder_is_read_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for name in ("vgg", "squeezenet"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        os.utime(exported(network(name), Path("net.onnx")), (0, 0))
        sizes.append(elastic_file("net.onnx").space.size())
    assert sizes[0] != sizes[1]
