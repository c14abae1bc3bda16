"""Activations: torch's kernels compute what the formulas say, gradients included."""

from __future__ import annotations

import pytest
import torch

from hwnas.space.ops import FORMULAS
from hwnas.supernet.ops.activation import KERNELS, _Torch


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_compute_their_formulas(name: str) -> None:
    x = torch.linspace(-9, 9, 1001, dtype=torch.float64, requires_grad=True)
    by_kernel, by_formula = KERNELS[name](x), FORMULAS[name](_Torch(), x)
    torch.testing.assert_close(by_kernel, by_formula)
    slopes = [torch.autograd.grad(y.sum(), x)[0] for y in (by_kernel, by_formula)]
    bends = torch.isclose(x.abs(), torch.tensor([[0.0], [3.0], [6.0]], dtype=torch.float64)).any(dim=0)
    torch.testing.assert_close(slopes[0][~bends], slopes[1][~bends])
