"""Subnet: a single network with its inherited weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.space import Arch, Network, TensorSpec, named_ops, network_inputs
from hwnas.supernet._calibration import BatchNormMode, Calibration
from hwnas.supernet._execute import forward, on
from hwnas.supernet.ops import folded
from hwnas.task import Inputs


class Subnet(nn.Module):
    """A subnet with weights of its own: ``forward(x)`` returns logits, and training leaves the supernet alone.

    Its state dict uses the names of :mod:`hwnas.supernet._execute`. :func:`hwnas.graph.build_model` takes the weights
    that :func:`folded_weights` returns.

    Args:
        network: its layers.
        weights: its tensors, which are copied.
        arch: its configuration, for provenance.
        bn_eps: added to variances by batch norms.
    """

    momentum = 0.1
    """Weight of a training batch in the running statistics of batch norms."""

    def __init__(self, network: Network, weights: Mapping[str, Tensor], arch: Arch, bn_eps: float) -> None:
        super().__init__()
        self.network = tuple(network)
        self.arch = arch
        self.bn_eps = bn_eps
        kept = {f"{name}.{part}" for name, op in named_ops(network) for part in op.buffers}
        for name, tensor in weights.items():
            owner, leaf = _submodule(self, name)
            copy = tensor.detach().clone(memory_format=torch.contiguous_format)
            if name in kept:
                owner.register_buffer(leaf, copy)
            else:
                owner.register_parameter(leaf, nn.Parameter(copy))
        self.eval()

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """The inputs by name; for images, one named ``input``."""
        return network_inputs(self.network)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image: ``(channels, height, width)``."""
        return self.network[0][1].input_shape

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.network[-1][1].output_shape[-1]

    @property
    def has_statistics(self) -> bool:
        """Whether there are batch norms, whose statistics must be gathered for each subnet."""
        return bool(self.statistics())

    def statistics(self) -> dict[str, Tensor]:
        """Running statistics by name; not copies."""
        return {name: buffer for name, buffer in self.named_buffers() if ".running_" in name}

    @torch.no_grad()
    def replace_statistics(self, statistics: Mapping[str, Tensor]) -> None:
        """Replace the running statistics."""
        own = self.statistics()
        for name, value in statistics.items():
            own[name].copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """Parameters and buffers by name; not copies."""
        return dict(self.named_parameters()) | dict(self.named_buffers())

    def forward(self, x: Inputs) -> Tensor:
        mode: BatchNormMode = "train" if self.training else "eval"
        return forward(self.network, self.weights(), x, mode, eps=self.bn_eps, momentum=self.momentum)


def _submodule(root: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module that holds ``name``, created if need be, and the last part of ``name``."""
    *path, leaf = name.split(".")
    for part in path:
        if part not in dict(root.named_children()):
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    return root, leaf


def recalibrate(subnet: Subnet, batches: Iterable[Inputs]) -> int:
    """Replace the running statistics by those of ``batches``, and return the number of images.

    A subnet inherits weights, but its activations have statistics of their own. Without this step its accuracy is
    meaningless (Yu et al. 2018, arXiv:1812.08928; once-for-all issues 8, 15, 60).
    """
    calibration = Calibration()
    weights = subnet.weights()
    device = next(iter(weights.values())).device
    with torch.no_grad():
        for batch in batches:
            forward(subnet.network, weights, on(device, batch), calibration, eps=subnet.bn_eps)
    subnet.replace_statistics(calibration.statistics())
    return calibration.n_images


def folded_weights(subnet: Subnet) -> dict[str, NDArray[np.float32]]:
    """The initializers of the subnet's ONNX model by name, with every batch norm folded into its convolution."""
    tensors = {name: tensor.detach().cpu() for name, tensor in subnet.weights().items()}
    found: dict[str, NDArray[np.float32]] = {}
    for name, op in named_ops(subnet.network):
        own = {part: tensors[f"{name}.{part}"] for part in (*op.weights, *op.buffers)}
        if folded.dispatch(type(op)) is not folded.dispatch(object):  # ops that fold nothing need no float64 copy
            own = dict(folded(op, {part: tensor.double() for part, tensor in own.items()}, subnet.bn_eps))
        for part, tensor in own.items():
            found[f"{name}.{part}"] = tensor.numpy().astype(np.float32, copy=False)
    return found
