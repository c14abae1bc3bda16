"""What every supernet must do, whatever its family: with random weights, since few checkpoints ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.errors import SpaceError
from hwnas.graph import random_feeds
from hwnas.space import Population, macs_cost, params_cost
from hwnas.supernet import Supernet, export_onnx, folded_weights, get_supernet, recalibrate, supernet_names
from tests.conftest import REPOSITORY

EXAMPLE = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"
TRANSFORMER = f"{REPOSITORY / 'tests' / 'contract' / 'vit.py'}:Vit"


@pytest.fixture(
    scope="module", params=[*supernet_names(), EXAMPLE, TRANSFORMER, "onnx"], ids=lambda name: name.rpartition(":")[2]
)
def supernet(request: pytest.FixtureRequest, onnx_file: Path) -> Supernet:
    return get_supernet(str(onnx_file) if request.param == "onnx" else request.param).random(seed=0)


@pytest.fixture(scope="module")
def rows(supernet: Supernet) -> Population:
    """The smallest, the largest and two random subnets, at the first setting of the input."""
    space = next(supernet.space.by_input())
    cost = macs_cost(space)
    sampled = space.sample(2, np.random.default_rng(1), distinct_uniform=False)
    return np.stack([cost.minimum()[1], cost.maximum()[1], *sampled])


def batch(supernet: Supernet, row: Population, n: int = 2) -> dict[str, torch.Tensor]:
    feeds = random_feeds(supernet.network(row), n, seed=2)
    return {name: torch.from_numpy(array) for name, array in feeds.items()}


def test_extracted_subnets_run_as_inside_the_supernet(supernet: Supernet, rows: Population):
    with torch.no_grad():
        for row in rows:
            subnet, x = supernet.extract(row), batch(supernet, row)
            logits = subnet(x)
            assert logits.shape == (2, subnet.classes)
            assert torch.isfinite(logits).all()
            torch.testing.assert_close(supernet.forward(row, x), logits, rtol=1e-4, atol=1e-5)
            assert supernet.space.encode(subnet.arch).tolist() == row.tolist()


def test_subnets_have_the_parameters_that_the_space_counts(supernet: Supernet, rows: Population):
    counted = params_cost(supernet.space)(rows)
    for row, expected in zip(rows, counted, strict=True):
        assert sum(p.numel() for p in supernet.extract(row).parameters()) == expected


def test_the_largest_subnet_uses_every_tensor_whole(supernet: Supernet, rows: Population):
    weights = supernet.weights(rows[1])
    extra = type(supernet).extra_shapes()
    for name, tensor in supernet.tensors.items():
        if name not in extra:
            assert name in weights, name
            assert weights[name].shape == tensor.shape, name


def test_training_one_subnet_changes_only_shared_tensors_it_uses(supernet: Supernet, rows: Population):
    parameters = supernet.parameters()
    used = {name for name in supernet.weights(rows[0]) if ".running_" not in name}
    assert not any(name.endswith(("running_mean", "running_var")) for name in parameters)
    for tensor in parameters.values():
        tensor.requires_grad_()
    supernet.forward(rows[0], batch(supernet, rows[0]), "train").square().sum().backward()
    reached = {name for name, tensor in parameters.items() if tensor.grad is not None}
    for tensor in parameters.values():
        tensor.requires_grad_(False).grad = None
    assert used <= reached
    assert reached - used <= set(type(supernet).extra_shapes())


def test_recalibration_changes_only_running_statistics_of_the_copy(supernet: Supernet, rows: Population):
    row = rows[2]
    shared = {name: tensor.clone() for name, tensor in supernet.weights(row).items()}
    subnet = supernet.extract(row)
    inherited = {name: tensor.clone() for name, tensor in subnet.state_dict().items()}
    assert recalibrate(subnet, [batch(supernet, row, 4), batch(supernet, row, 2)]) == 6
    for name, tensor in subnet.state_dict().items():
        assert torch.equal(tensor, inherited[name]) == (".running_" not in name), name
    assert all(torch.equal(shared[name], tensor) for name, tensor in supernet.weights(row).items())


def test_exported_files_equal_torch(supernet: Supernet, rows: Population, tmp_path: Path):
    subnet = supernet.extract(rows[0])
    recalibrate(subnet, [batch(supernet, rows[0], 4)])
    assert export_onnx(subnet, tmp_path / "subnet.onnx").difference.largest < 1e-3
    assert not any(".bn." in name for name in folded_weights(subnet))


def test_checkpoints_load_from_the_family_s_own_names(supernet: Supernet, tmp_path: Path):
    family = type(supernet)
    theirs = {family.checkpoint_key(name): tensor for name, tensor in supernet.tensors.items()}
    assert len(theirs) == len(supernet.tensors)
    assert all(family.normalised_key(key) == key for key in theirs)
    torch.save({"state_dict": theirs}, tmp_path / "theirs.pth")
    loaded = family.from_checkpoint(tmp_path / "theirs.pth").tensors
    assert all(torch.equal(loaded[name], tensor) for name, tensor in supernet.tensors.items())


def test_rows_of_other_spaces_are_refused(supernet: Supernet, rows: Population):
    for wrong in (rows[0][:-1], rows[0] + 100):
        with pytest.raises(SpaceError, match="is not of"):
            supernet.extract(wrong)
