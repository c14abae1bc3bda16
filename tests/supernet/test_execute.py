"""The executor against torch's own modules, and its three batch-norm modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.space import LayerSpec, OpList, get_space
from hwnas.supernet import Calibration, Supernet, folded_weights, forward, recalibrate
from hwnas.supernet.ops._depthwise import Depthwise


class Proxyless(Supernet):
    """Plain slicing of a published space."""

    search_space = staticmethod(lambda: get_space("ofa_proxyless_w1.3"))


def conv_bn_network() -> list[tuple[str, LayerSpec]]:
    ops = OpList((3, 9, 9))
    x = ops.conv("conv", 0, 8, 3, 2, act="hswish")
    x = ops.avg_pool("pool", x, 2, 2)
    ops.linear("linear", ops.flatten("flatten", ops.global_pool("mean", x)), 5)
    return [("stem", LayerSpec("test", (3, 9, 9), tuple(ops.ops)))]


def as_torch_modules() -> tuple[nn.Sequential, dict[str, torch.Tensor]]:
    conv, norm, linear = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Linear(8, 5)
    nn.init.normal_(norm.weight)
    assert norm.running_mean is not None
    nn.init.normal_(norm.running_mean)
    pools = [nn.AvgPool2d(2, 2, ceil_mode=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    weights = {"stem/conv.weight": conv.weight, "stem/linear.weight": linear.weight, "stem/linear.bias": linear.bias}
    weights |= {f"stem/conv.bn.{name}": value for name, value in norm.state_dict(keep_vars=True).items()}
    return nn.Sequential(conv, norm, nn.Hardswish(), *pools, linear), weights


def test_eval_and_train_equal_torch_modules_gradients_included():
    torch.manual_seed(0)
    modules, weights = as_torch_modules()
    x = torch.randn(4, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(forward(conv_bn_network(), weights, x), modules.eval()(x))
    expected = torch.autograd.grad(modules.train()(x).square().sum(), weights["stem/conv.weight"])
    ours = forward(conv_bn_network(), weights, x, "train").square().sum()
    torch.testing.assert_close(torch.autograd.grad(ours, weights["stem/conv.weight"]), expected)


def test_calibration_averages_biased_statistics_by_batch_size():
    torch.manual_seed(1)
    modules, weights = as_torch_modules()
    batches = [torch.randn(4, 3, 9, 9), 3 * torch.randn(2, 3, 9, 9) + 1]
    calibration = Calibration()
    with torch.no_grad():
        for batch in batches:
            forward(conv_bn_network(), weights, batch, calibration)
        inputs = [modules[0](batch) for batch in batches]
    found = calibration.statistics()
    means = sum(len(x) * x.mean((0, 2, 3)) for x in inputs) / 6
    variances = sum(len(x) * x.var((0, 2, 3), correction=0) for x in inputs) / 6
    assert calibration.n_images == 6
    torch.testing.assert_close(found["stem/conv.bn.running_mean"], means)
    torch.testing.assert_close(found["stem/conv.bn.running_var"], variances)


def test_gradients_reach_only_the_shared_slices_that_a_subnet_uses():
    supernet = Proxyless.random(0)
    space = supernet.space
    row = space.encode({"ks": [3] * 21, "e": [3] * 21, "d": [2] * 5 + [1], "r": 128})
    for tensor in supernet.parameters().values():
        tensor.requires_grad_()
    supernet.forward(row, torch.randn(2, 3, 128, 128), "train").sum().backward()
    depthwise = supernet.tensors["blocks.1/depthwise.weight"]
    assert depthwise.grad is not None
    used = depthwise.grad.abs().sum((1, 2, 3)) > 0
    assert used.sum() == 72  # half of 144 channels
    assert not used[72:].any()
    assert depthwise.grad[:, :, 0].abs().sum() == 0  # the rim of the 7x7 kernel
    assert supernet.tensors["blocks.3/depthwise.weight"].grad is None  # skipped by depth 2


def test_extracted_subnet_runs_as_inside_the_supernet_and_owns_its_weights():
    supernet = Proxyless.random(0)
    row = supernet.space.restrict(r=128).sample(1, np.random.default_rng(0))[0]
    subnet, x = supernet.extract(row), torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        before = supernet.forward(row, x)
        torch.testing.assert_close(subnet(x), before)
        assert recalibrate(subnet, [x]) == 2
        torch.testing.assert_close(supernet.forward(row, x), before)
        # One batch gives exactly that batch's statistics, up to Bessel's correction.
        torch.testing.assert_close(subnet(x), supernet.forward(row, x, "train"), rtol=1e-4, atol=1e-4)
    assert set(folded_weights(subnet)) == {n for n in subnet.state_dict() if ".bn." not in n} | {
        n.replace(".bn.bias", ".bias") for n in subnet.state_dict() if n.endswith(".bn.bias")
    }


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "dilation"), [(3, 1, 1, 1), (5, 2, 2, 1), (3, 2, 0, 1), (3, 1, 2, 2), (5, 1, 0, 1)]
)
def test_depthwise_gradients_equal_those_of_torch(kernel: int, stride: int, pads: int, dilation: int):
    torch.manual_seed(0)
    x = torch.randn(3, 4, 8, 7, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    ours: torch.Tensor = Depthwise.apply(x, weight, (stride, stride), (pads, pads), (dilation, dilation))
    theirs = torch.nn.functional.conv2d(x, weight, None, stride, pads, dilation, 4)
    assert torch.equal(ours, theirs)
    seed = torch.randn_like(theirs)
    for mine, wanted in zip(*(torch.autograd.grad(y, (x, weight), seed) for y in (ours, theirs)), strict=True):
        torch.testing.assert_close(mine, wanted)
