"""Subnet: one network on its own, with its inherited weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.space import Arch
from hwnas.supernet._execute import BatchNormMode, Calibration, Network, forward


class Subnet(nn.Module):
    """A subnet that stands alone: ``forward(x)`` gives logits, training updates its own weights.

    Its state dict uses the names of :mod:`hwnas.supernet._execute`, so its weights go to
    :func:`hwnas.graph.build_model` as they are, after :func:`folded_weights`.

    Args:
        network: its layers.
        weights: its tensors, which are copied.
        arch: its config, for provenance.
        bn_eps: added to variances by batch norms.
    """

    momentum = 0.1

    def __init__(self, network: Network, weights: Mapping[str, Tensor], arch: Arch, bn_eps: float) -> None:
        super().__init__()
        self.network = tuple(network)
        self.arch = arch
        self.bn_eps = bn_eps
        for name, tensor in weights.items():
            owner, leaf = _submodule(self, name)
            copy = tensor.detach().clone(memory_format=torch.contiguous_format)
            if leaf.startswith("running_"):
                owner.register_buffer(leaf, copy)
            else:
                owner.register_parameter(leaf, nn.Parameter(copy))
        self.eval()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image: ``(channels, height, width)``."""
        return self.network[0][1].input_shape

    @property
    def classes(self) -> int:
        return self.network[-1][1].output_shape[0]

    def weights(self) -> dict[str, Tensor]:
        """Parameters and running statistics by name; the module's own, not copies."""
        return dict(self.named_parameters()) | dict(self.named_buffers())

    def forward(self, x: Tensor) -> Tensor:
        mode: BatchNormMode = "train" if self.training else "eval"
        return forward(self.network, self.weights(), x, mode, eps=self.bn_eps, momentum=self.momentum)


def _submodule(root: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module that holds ``name`` (made on the way) and the last part of ``name``."""
    *path, leaf = name.split(".")
    for part in path:
        if part not in dict(root.named_children()):
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    return root, leaf


def recalibrate(subnet: Subnet, batches: Iterable[Tensor]) -> int:
    """Replace the running statistics by those of ``batches``, and return the number of images used.

    A subnet inherits weights, but not the statistics of activations that it alone produces; without
    this step its accuracy is meaningless (Yu et al. 2018; once-for-all issues 8, 15, 60).
    """
    calibration = Calibration()
    weights = subnet.weights()
    device = next(iter(weights.values())).device
    with torch.no_grad():
        for batch in batches:
            forward(subnet.network, weights, batch.to(device), calibration, eps=subnet.bn_eps)
        for name, value in calibration.statistics().items():
            weights[name].copy_(value)
    return calibration.n_images


def folded_weights(subnet: Subnet) -> dict[str, NDArray[np.float32]]:
    """``"<slot>/<op>.weight"`` and ``".bias"`` with every batch norm folded into its convolution."""
    tensors = {name: t.detach().cpu().double() for name, t in subnet.weights().items()}
    folded: dict[str, NDArray[np.float32]] = {}
    for slot, layer in subnet.network:
        for op in layer.ops:
            name = f"{slot}/{op.name}"
            if f"{name}.weight" not in tensors:
                continue
            weight, bias = tensors[f"{name}.weight"], tensors.get(f"{name}.bias")
            if op.bn:
                scale = tensors[f"{name}.bn.weight"] / torch.sqrt(tensors[f"{name}.bn.running_var"] + subnet.bn_eps)
                weight = weight * scale.reshape(-1, 1, 1, 1)
                shift = (
                    -tensors[f"{name}.bn.running_mean"] if bias is None else bias - tensors[f"{name}.bn.running_mean"]
                )
                bias = tensors[f"{name}.bn.bias"] + shift * scale
            folded[f"{name}.weight"] = weight.numpy().astype(np.float32)
            if bias is not None:
                folded[f"{name}.bias"] = bias.numpy().astype(np.float32)
    return folded
