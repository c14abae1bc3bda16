"""What every class of op must do, checked on a layer that has it: agree in the space, in torch and in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hwnas.graph import activation_ranges, build_model, in_precision, random_feeds
from hwnas.space import LayerSpec
from hwnas.supernet import Pass, Subnet, folded_weights, run
from hwnas.testing._check import Check, require

BATCH = 3
_SLOT = "slot"

NEAR = {"fp16": 0.01, "int8": 0.5}
"""Largest relative error in other precisions. CPUs without four-way integer dot products saturate, which can cost a quarter of
a convolution's output."""


def values_have_their_shapes(layer: LayerSpec) -> None:
    """In torch every op returns the shape that it states."""
    feeds = _fed(layer)
    at = Pass(_subnet(layer).weights(), dict(feeds), "eval", 1e-5, 0.0)
    values = [feeds.get("input", torch.empty(0))]
    for op in layer.ops:
        at.name = f"{_SLOT}/{op.name}"
        values.append(run(op, [values[i] for i in op.inputs], at))
        shape = tuple(values[-1].shape)
        require(shape == (BATCH, *op.shape), f"op {op.name} states {op.shape} and gives {shape[1:]}")


def onnx_computes_what_torch_does(layer: LayerSpec) -> None:
    """onnxruntime returns torch's values, for a fixed batch and for an open one."""
    subnet, feeds = _subnet(layer), _fed(layer)
    with torch.no_grad():
        expected = subnet(feeds).numpy()
    for batch in (None, BATCH):
        model = build_model([(_SLOT, layer)], weights=folded_weights(subnet), batch=batch)
        onnx.checker.check_model(model, full_check=True)
        found = _computed(model, {name: tensor.numpy() for name, tensor in feeds.items()})
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def other_precisions_are_near(layer: LayerSpec) -> None:
    """fp16 and int8 run, and their values are close to those of fp32."""
    feeds = random_feeds([(_SLOT, layer)], BATCH, seed=1)
    model = build_model([(_SLOT, layer)], weights=folded_weights(_subnet(layer)))
    expected = _computed(model, feeds)
    for precision, limit in NEAR.items():
        ranges = activation_ranges(model, [feeds]) if precision == "int8" else None
        other = in_precision(model, precision, ranges)
        onnx.checker.check_model(other, full_check=True)
        found = _computed(other, feeds)
        error, size = np.linalg.norm(found - expected), np.linalg.norm(expected)
        require(error <= limit * size, f"{precision} is off by {error / size:.3f} of the values' size")


def macs_are_those_that_torch_counts(layer: LayerSpec) -> None:
    """MACs are half the floating-point operations that torch counts."""
    subnet, feeds = _subnet(layer), _fed(layer)
    plain = sdpa_kernel(SDPBackend.MATH)  # torch does not count what fused attention kernels compute
    with torch.no_grad(), plain, FlopCounterMode(display=False) as counter:
        subnet(feeds)
    counted = counter.get_total_flops() / 2 / BATCH
    require(counted == layer.macs, f"it states {layer.macs} MACs, torch counts {counted:g}")


def params_are_what_training_reaches(layer: LayerSpec) -> None:
    """Parameters and buffers have the stated numbers, and every parameter gets a gradient."""
    subnet = _subnet(layer).train()
    if layer.params:
        subnet(_fed(layer)).square().sum().backward()
    has = sum(p.numel() for p in subnet.parameters())
    require(has == layer.params, f"it states {layer.params} parameters, and has {has}")
    unreached = [name for name, p in subnet.named_parameters() if p.grad is None]
    require(not unreached, f"no gradient reaches {unreached[:1]}")
    kept = sum(b.numel() for b in subnet.buffers())
    stated = sum(prod(s) for op in layer.ops for s in op.buffers.values())
    require(kept == stated, f"it states {stated} values in buffers, and has {kept}")


def _subnet(layer: LayerSpec) -> Subnet:
    """The layer with random tensors; running variances are positive."""
    rng = np.random.default_rng(0)
    tensors = {
        f"{_SLOT}/{op.name}.{part}": torch.from_numpy(
            rng.uniform(0.2, 1.0, shape) * rng.choice([1, 1 if "var" in part else -1], shape)
        ).float()
        for op in layer.ops
        for part, shape in {**op.weights, **op.buffers}.items()
    }
    return Subnet([(_SLOT, layer)], tensors, {}, 1e-5)


def _fed(layer: LayerSpec) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in random_feeds([(_SLOT, layer)], BATCH, seed=1).items()}


def _computed(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], feeds)[0])


OP_CHECKS: Sequence[Check] = (
    values_have_their_shapes,
    onnx_computes_what_torch_does,
    other_precisions_are_near,
    macs_are_those_that_torch_counts,
    params_are_what_training_reaches,
)
"""Checks of a LayerSpec that has the op: ``OpList(shape)``, ``apply`` the op, ``layer("test")``."""
