"""What every supernet must do; random weights suffice."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from hwnas.errors import SpaceError
from hwnas.graph import random_feeds
from hwnas.space import Population, SearchSpace, macs_cost, named_ops, params_cost
from hwnas.supernet import Supernet, export_onnx, folded_weights, get_engine, recalibrate
from hwnas.testing._check import Check, refused, require

ONNX_ERROR = 1e-3
"""Largest difference of a logit between torch and onnxruntime. Logits of random networks are of order one."""

STATISTICS_ERROR = 1e-4
"""Largest difference of a batch norm's statistics between torch and onnxruntime, as a share of its spread."""


def subnets_run_as_inside(supernet: Supernet) -> None:
    """An extracted subnet has the same finite logits as inside the supernet, and knows its arch."""
    with torch.no_grad():
        for row in _rows(supernet.space):
            subnet, x = supernet.extract(row), _batch(supernet, row)
            logits = subnet(x)
            require(
                (len(logits), logits.shape[-1]) == (2, subnet.classes), f"logits have the shape {tuple(logits.shape)}"
            )
            require(torch.isfinite(logits).all(), "logits are not finite")
            torch.testing.assert_close(supernet.forward(row, x), logits, rtol=1e-4, atol=1e-5)
            require(supernet.space.encode(subnet.arch).tolist() == row.tolist(), "its arch is of another subnet")


def subnets_have_the_counted_parameters(supernet: Supernet) -> None:
    """A subnet has as many parameters as the space counts."""
    rows = _rows(supernet.space)
    for row, counted in zip(rows, params_cost(supernet.space)(rows), strict=True):
        has = sum(p.numel() for p in supernet.extract(row).parameters())
        require(has == counted, f"the space counts {counted:.0f} parameters of a subnet that has {has}")


def the_largest_uses_every_tensor(supernet: Supernet) -> None:
    """The largest subnet uses all tensors completely, except those of ``extra_shapes``."""
    weights, extra = supernet.weights(_rows(supernet.space)[1]), type(supernet).extra_shapes()
    for name, tensor in supernet.tensors.items():
        used = name in extra or (name in weights and weights[name].shape == tensor.shape)
        require(used, f"the largest subnet does not use all of {name}")


def gradients_reach_what_a_subnet_uses(supernet: Supernet) -> None:
    """Gradients of a subnet reach the shared tensors that it uses, and no others."""
    row, parameters = _rows(supernet.space)[0], supernet.parameters()
    buffers = {f"{name}.{part}" for name, op in named_ops(supernet.network(row)) for part in op.buffers}
    require(not buffers & set(parameters), f"buffers are no parameters: {sorted(buffers & set(parameters))[:1]}")
    used = set(supernet.weights(row)) - buffers
    try:
        for tensor in parameters.values():
            tensor.requires_grad_()
        supernet.forward(row, _batch(supernet, row), "train").square().sum().backward()  # type: ignore[no-untyped-call]
        reached = {name for name, tensor in parameters.items() if tensor.grad is not None}
    finally:
        for tensor in parameters.values():
            tensor.requires_grad_(False).grad = None
    require(used <= reached, f"no gradient reaches {sorted(used - reached)[:1]}")
    strange = reached - used - set(type(supernet).extra_shapes())
    require(not strange, f"a gradient reaches {sorted(strange)[:1]}, which the subnet does not use")


def recalibration_leaves_weights_alone(supernet: Supernet) -> None:
    """Re-calibrating an extracted subnet changes all its running statistics, and nothing else."""
    row = _rows(supernet.space)[2]
    shared = {name: tensor.clone() for name, tensor in supernet.weights(row).items()}
    subnet = supernet.extract(row)
    before = {name: tensor.clone() for name, tensor in subnet.state_dict().items()}
    require(recalibrate(subnet, [_batch(supernet, row, 4), _batch(supernet, row, 2)]) == 6, "6 inputs were given")
    for name, tensor in subnet.state_dict().items():
        kept = torch.equal(tensor, before[name])
        require(kept == (".running_" not in name), f"{name} {'stayed' if kept else 'changed'}")
    same = all(torch.equal(shared[name], tensor) for name, tensor in supernet.weights(row).items())
    require(same, "shared tensors changed")


def engines_gather_the_same_statistics(supernet: Supernet) -> None:
    """onnxruntime re-calibrates a subnet as torch does, and its logits are then the same."""
    row = _rows(supernet.space)[3]
    batches = [_batch(supernet, row, 6), _batch(supernet, row, 3)]
    plain, other = supernet.extract(row), supernet.extract(row)
    engine = get_engine("onnxruntime")
    require(recalibrate(plain, batches) == engine.recalibrate(other, batches), "not all inputs were counted")
    expected, found = plain.state_dict(), other.state_dict()
    for name, tensor in expected.items():
        spread = expected[name.replace("running_mean", "running_var")] if ".running_" in name else torch.ones(1)
        off = (found[name] - tensor).abs() / (spread.sqrt() if name.endswith("_mean") else spread).clamp(min=1e-5)
        require(off.max() < STATISTICS_ERROR, f"{name} is off by {float(off.max()):g} of its spread")
    with torch.no_grad():
        expected_logits = plain(batches[0])
    error = float((engine.runner(other)(batches[0]) - expected_logits).abs().max())
    scale = max(1.0, float(expected_logits.abs().max()))
    require(error < ONNX_ERROR * scale, f"logits differ by {error:g}, at logits of up to {scale:g}")


def exported_files_equal_torch(supernet: Supernet) -> None:
    """An ONNX file has torch's logits, and its batch norms are folded."""
    row = _rows(supernet.space)[0]
    subnet = supernet.extract(row)
    recalibrate(subnet, [_batch(supernet, row, 4)])
    with tempfile.TemporaryDirectory() as folder:
        difference = export_onnx(subnet, Path(folder) / "subnet.onnx").difference.largest
    require(difference < ONNX_ERROR, f"logits differ by {difference:g}")
    left = [name for name in folded_weights(subnet) if ".bn." in name]
    require(not left, f"a batch norm is left: {left[:1]}")


def checkpoints_load_by_the_familys_names(supernet: Supernet) -> None:
    """A checkpoint with the family's names (``checkpoint_key``) loads, tensor for tensor."""
    family = type(supernet)
    theirs = {family.checkpoint_key(name): tensor for name, tensor in supernet.tensors.items()}
    require(len(theirs) == len(supernet.tensors), "checkpoint_key returns one name for two tensors")
    stable = all(family.normalised_key(key) == key for key in theirs)
    require(stable, "normalised_key changes a name that checkpoint_key returns")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "theirs.pth"
        torch.save({"state_dict": theirs}, path)
        loaded = family.from_checkpoint(path).tensors
    same = all(torch.equal(loaded[name], tensor) for name, tensor in supernet.tensors.items())
    require(same, "a tensor comes back changed")


def foreign_rows_are_refused(supernet: Supernet) -> None:
    """Rows of another space raise SpaceError."""
    row = _rows(supernet.space)[0]
    for wrong in (row[:-1], row + 100):
        with refused(SpaceError, "is not of"):
            supernet.extract(wrong)


@lru_cache(maxsize=4)
def _rows(space: SearchSpace) -> Population:
    """The smallest, the largest and two random subnets, at the first setting of the input."""
    first = next(space.by_input())
    cost = macs_cost(first)
    sampled = first.sample(2, np.random.default_rng(1), distinct_uniform=False)
    return np.stack([cost.minimum()[1], cost.maximum()[1], *sampled])


def _batch(supernet: Supernet, row: Population, n: int = 2) -> dict[str, torch.Tensor]:
    feeds = random_feeds(supernet.network(row), n, seed=2)
    return {name: torch.from_numpy(array) for name, array in feeds.items()}


SUPERNET_CHECKS: Sequence[Check] = (
    subnets_run_as_inside,
    subnets_have_the_counted_parameters,
    the_largest_uses_every_tensor,
    gradients_reach_what_a_subnet_uses,
    recalibration_leaves_weights_alone,
    engines_gather_the_same_statistics,
    exported_files_equal_torch,
    checkpoints_load_by_the_familys_names,
    foreign_rows_are_refused,
)
"""Checks of a Supernet. Its space has another kit, ``SPACE_CHECKS``."""
