"""Batch-norm statistics with onnxruntime: a batch passes through the segments of a network one after another."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.graph import FOLDED, STATISTICS, Segment, norm_prefix, segments
from hwnas.space import named_ops
from hwnas.supernet._calibration import Calibration
from hwnas.supernet._feeds import feeds, slices
from hwnas.supernet._subnet import Subnet
from hwnas.supernet.engine._memory import Memory, allocation
from hwnas.supernet.engine._moments import Array, Moments, convolved, covariances, pooled, variances
from hwnas.supernet.engine._parts import opened, side_by_side
from hwnas.supernet.ops import folded
from hwnas.task import Inputs


class Statistician:
    """Gathers the statistics of a subnet's batch norms, as :func:`hwnas.supernet.forward` does in torch.

    Args:
        subnet: its weights are copied.
        memory: for the activations.

    Raises:
        SpaceError: a class of op has no ONNX form, or keeps statistics of its own.
    """

    def __init__(self, subnet: Subnet, memory: Memory) -> None:
        self.network, self._eps = subnet.network, subnet.bn_eps
        self._prefixes: dict[str, str] = {}
        self._weights: dict[str, NDArray[np.float32]] = {}
        self._norms: dict[str, NDArray[np.float32]] = {}
        tensors = {name: tensor.detach().cpu() for name, tensor in subnet.weights().items()}
        for name, op in named_ops(subnet.network):
            own = {part: tensors[f"{name}.{part}"] for part in (*op.weights, *op.buffers)}
            prefix = norm_prefix(op)
            if prefix is not None:
                self._prefixes[name] = prefix
                self._norms[f"{name}.scale"] = own[f"{prefix}weight"].numpy()
                self._norms[f"{name}.shift"] = own[f"{prefix}bias"].numpy()
                ones, zeros = torch.ones(op.shape[0]), torch.zeros(op.shape[0])
                neutral = {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones}
                own |= {f"{prefix}{part}": tensor for part, tensor in neutral.items()}
            self._weights |= {f"{name}.{part}": tensor.numpy() for part, tensor in folded(op, own, 0.0).items()}
        found = segments(subnet.network, self._weights, self._norms, subnet.bn_eps)
        self._segments = [(segment, opened(segment.model)) for segment in found]
        self._places, self._memory = allocation(found), memory

    def gather(self, batch: Inputs, calibration: Calibration) -> None:
        """Add a batch, which every batch norm normalises with the batch's own statistics."""
        values: dict[str, Array] = dict(feeds(batch))
        n = len(next(iter(values.values())))
        calibration.n_images += n
        values |= self._memory.arrays(self._places, n)
        for segment, session in self._segments:
            found = pooled(side_by_side(slices(self.network, n), partial(_run, session, segment, values)))
            if segment.pointwise:
                weight, bias = (self._weights[f"{segment.norm}{end}"] for end in FOLDED)
                found = convolved(weight[:, :, 0, 0], bias, found, values[segment.watches])
                values |= self._normalising(segment.norm, found)
            else:
                both = zip(STATISTICS, (found.mean, found.spread), strict=True)
                values |= {f"{segment.norm}{end}": value.astype(np.float32) for end, value in both}
            name = f"{segment.norm}.{self._prefixes[segment.norm]}".removesuffix(".")
            calibration.add(name, torch.from_numpy(found.mean), torch.from_numpy(found.spread), n)

    def _normalising(self, norm: str, found: Moments) -> dict[str, Array]:
        """Weight and bias of a convolution with a batch norm of these moments folded in."""
        weight, bias = (self._weights[f"{norm}{end}"] for end in FOLDED)
        scale = self._norms[f"{norm}.scale"] / np.sqrt(found.spread + self._eps)
        shift = self._norms[f"{norm}.shift"] + (bias - found.mean) * scale
        values = (weight * scale[:, None, None, None], shift)
        return {f"{norm}{end}": value.astype(np.float32) for end, value in zip(FOLDED, values, strict=True)}


def _run(session: Any, segment: Segment, values: dict[str, Array], part: slice) -> Moments:
    """The moments of the watched value in a part of the batch; the segment's outputs go into ``values``."""
    binding = session.io_binding()
    for name in segment.fed:
        binding.bind_cpu_input(name, values[name])
    for name in segment.takes:
        binding.bind_cpu_input(name, values[name][part])
    for name in segment.gives:
        value = values[name][part]
        binding.bind_output(name, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
    session.run_with_iobinding(binding)
    watched = values[segment.watches][part]
    return covariances(watched) if segment.pointwise else variances(watched)
