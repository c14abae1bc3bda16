"""Checkpoints as training scripts leave them: nested, prefixed, of other types, with other numbers of classes."""

from __future__ import annotations

from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.space import get_space, n_classes, with_classes
from hwnas.supernet import Supernet, get_supernet, load_supernet, supernet_names

State = dict[str, Tensor]
NAME = "digits"


@pytest.fixture(scope="module")
def net() -> Supernet:
    return get_supernet(NAME).random(3)


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: tensor for key, tensor in state.items()}


def optimizer(state: State) -> dict[str, Any]:
    moments = {i: {"step": torch.tensor(7.0), "exp_avg": t.clone()} for i, t in enumerate(state.values())}
    return {"state": moments, "param_groups": [{"lr": 0.1, "params": list(moments)}]}


NESTS: dict[str, Callable[[State], dict[str, Any]]] = {
    "bare": lambda s: s,
    "ordered": OrderedDict,
    "DataParallel": lambda s: prefixed(s, "module."),
    "compiled": lambda s: prefixed(s, "_orig_mod."),
    "lightning": lambda s: {"state_dict": prefixed(s, "model."), "global_step": 3, "loops": {}},
    "timm": lambda s: {"state_dict_ema": prefixed(s, "module."), "args": Namespace(lr=0.1), "optimizer": optimizer(s)},
    "model": lambda s: {"model": s, "optimizer": optimizer(s), "best_acc": np.float64(71.5)},
    "model_ema": lambda s: {"model_ema": s},
    "ema": lambda s: {"ema": prefixed(s, "module."), "scaler": {"scale": 1.0}},
    "net": lambda s: {"net": s, "acc": 1, "epoch": 2},
    "teacher": lambda s: {"teacher": prefixed(s, "module.backbone."), "student": None},
    "two deep": lambda s: {"checkpoint": {"model": {"state_dict": prefixed(s, "module.")}}, "args": ["--lr", "1"]},
    "twice the same": lambda s: {"model": s, "ema": {key: tensor.clone() for key, tensor in s.items()}},
    "counters": lambda s: s | {"stem.bn.num_batches_tracked": torch.tensor(9), "total_ops": torch.tensor([3.0])},
}


@pytest.mark.parametrize("layout", NESTS)
def test_nests_and_prefixes_load(net: Supernet, layout: str, tmp_path: Path):
    torch.save(NESTS[layout](dict(net.tensors)), tmp_path / "x.pth")
    loaded = load_supernet(NAME, tmp_path / "x.pth")
    assert loaded.digest == net.digest
    assert (f"{len(net.tensors)} tensors" in loaded.dialect) == (layout not in ("bare", "ordered", "counters"))
    assert "\n" not in loaded.dialect


def test_flat_files_with_prefixes_load(net: Supernet, tmp_path: Path):
    moments = {f"optimizer.{key}": tensor.clone() for key, tensor in net.tensors.items() if "running" not in key}
    save_file(prefixed(net.tensors, "model.") | moments, tmp_path / "x.safetensors")
    assert load_supernet(NAME, tmp_path / "x.safetensors").digest == net.digest


@pytest.mark.parametrize(("kind", "told"), [(torch.float16, "fp16"), (torch.bfloat16, "bf16"), (torch.float64, "fp64")])
def test_other_types_become_fp32_and_are_told(net: Supernet, kind: torch.dtype, told: str, tmp_path: Path):
    state = {key: tensor.to(kind) for key, tensor in net.tensors.items()}
    for file in (tmp_path / "x.pth", tmp_path / "x.safetensors"):
        torch.save(state, file) if file.suffix == ".pth" else save_file(state, file)
        loaded = load_supernet(NAME, file)
        assert f"all {told} made fp32" in loaded.dialect
        for name, tensor in loaded.tensors.items():
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, state[name].float())


@pytest.mark.parametrize("name", [n for n in supernet_names() if n != "digits"])
def test_upstream_names_in_safetensors(name: str, tmp_path: Path):
    family = get_supernet(name)
    net = family.random(1)
    theirs = {family.checkpoint_key(key): tensor for key, tensor in net.tensors.items()}
    save_file(prefixed(theirs, "module."), tmp_path / "x.safetensors")
    loaded = load_supernet(name, tmp_path / "x.safetensors")
    assert loaded.digest == net.digest
    assert "under module, by its family's names" in loaded.dialect


def test_of_several_networks_one_is_chosen(net: Supernet, tmp_path: Path):
    other = get_supernet(NAME).random(4)
    file = tmp_path / "x.pth"
    torch.save({"state_dict": dict(net.tensors), "state_dict_ema": prefixed(other.tensors, "module.")}, file)
    with pytest.raises(SupernetError, match=r"2 networks that fit: state_dict, state_dict_ema\.module") as caught:
        load_supernet(NAME, file)
    assert f"--checkpoint {file}:state_dict or" in caught.value.remedy
    assert load_supernet(NAME, f"{file}:state_dict").digest == net.digest
    for part in ("state_dict_ema", "state_dict_ema.module"):
        chosen = load_supernet(NAME, f"{file}:{part}")
        assert chosen.digest == other.digest
        assert chosen.origin == f"x.pth:{part}"
        assert "left aside: state_dict" in chosen.dialect
    with pytest.raises(SupernetError, match=r"no such part; its parts are: state_dict, state_dict_ema\.module"):
        load_supernet(NAME, f"{file}:ema")


def test_a_root_beside_a_nest_is_chosen_by_a_dot(net: Supernet, tmp_path: Path):
    other = get_supernet(NAME).random(4)
    torch.save({**net.tensors, "ema": dict(other.tensors)}, tmp_path / "x.pth")
    with pytest.raises(SupernetError, match="2 networks that fit"):
        load_supernet(NAME, tmp_path / "x.pth")
    assert load_supernet(NAME, f"{tmp_path / 'x.pth'}:.").digest == net.digest
    assert load_supernet(NAME, f"{tmp_path / 'x.pth'}:ema").digest == other.digest


@pytest.mark.parametrize("name", supernet_names())
def test_a_checkpoint_brings_its_number_of_classes(name: str, tmp_path: Path):
    family = get_supernet(name)
    seven = family.random(1, with_classes(get_space(name), 7))
    assert (seven.classes, seven.space.name) == (7, f"{name}-c7")
    theirs = {family.checkpoint_key(key): tensor for key, tensor in seven.tensors.items()}
    torch.save({"state_dict": prefixed(theirs, "module.")}, tmp_path / "x.pth")
    loaded = load_supernet(name, tmp_path / "x.pth")
    assert (loaded.classes, loaded.space.name, loaded.digest) == (7, f"{name}-c7", seven.digest)
    assert f"7 classes instead of {n_classes(get_space(name)):,}" in loaded.dialect
    loaded.save(tmp_path / "own.safetensors")
    again = load_supernet(name, tmp_path / "own.safetensors")
    assert (again.space.name, again.dialect) == (f"{name}-c7", "")
    row = loaded.space.sample(1, np.random.default_rng(0))[0]
    assert loaded.extract(row).classes == 7


def test_a_head_in_two_minds_is_refused(net: Supernet, tmp_path: Path):
    torch.save(net.tensors | {"classifier/linear.bias": torch.zeros(12)}, tmp_path / "x.pth")
    with pytest.raises(SupernetError, match=r"classifier/linear\.weight is 10x64, not 12x64"):
        load_supernet(NAME, tmp_path / "x.pth")


def test_another_family_is_named_where_it_is_known(tmp_path: Path):
    family = get_supernet("ofa_proxyless_w1.3")
    net = family.random(0)
    torch.save({"model": {family.checkpoint_key(k): t for k, t in net.tensors.items()}}, tmp_path / "x.pth")
    with pytest.raises(SupernetError, match=r"it fits ofa_proxyless_w1\.3: pass --supernet ofa_proxyless_w1\.3"):
        load_supernet("ofa_resnet50", tmp_path / "x.pth")


def test_values_that_are_no_weights_are_refused(net: Supernet, tmp_path: Path):
    bias = net.tensors["classifier/linear.bias"]
    for wrong, rule in [
        (bias.int(), "no real numbers"),
        (bias.to_sparse(), "no real numbers"),
        (bias.to("meta"), "no real numbers"),
        (torch.full_like(bias, torch.inf), "NaN or infinite"),
        (torch.full_like(bias, 1e300, dtype=torch.float64), "NaN or infinite"),
    ]:
        torch.save(net.tensors | {"classifier/linear.bias": wrong}, tmp_path / "x.pth")
        with pytest.raises(SupernetError, match=rule) as caught:
            load_supernet(NAME, tmp_path / "x.pth")
        assert "\n" not in str(caught.value)


def test_a_further_layer_is_no_part_of_the_network(net: Supernet, tmp_path: Path):
    torch.save({"model": net.tensors | {"neck.weight": torch.zeros(3, 3)}}, tmp_path / "x.pth")
    with pytest.raises(SupernetError, match=r"neck\.weight 3x3 is unknown"):
        load_supernet(NAME, tmp_path / "x.pth")


def test_a_dict_that_holds_itself_ends(net: Supernet, tmp_path: Path):
    nest: dict[str, Any] = {"state_dict": dict(net.tensors)}
    nest |= {f"again{i}": nest for i in range(50)}
    torch.save(nest, tmp_path / "x.pth")
    assert load_supernet(NAME, tmp_path / "x.pth").digest == net.digest
