"""Batch-norm statistics by onnxruntime: a batch is led through the segments of a network, one after the other."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.graph import MOMENTS, STATISTICS, Segment, norm_prefix, segments
from hwnas.space import Shape
from hwnas.supernet._agreement import feeds
from hwnas.supernet._calibration import Calibration
from hwnas.supernet._subnet import Subnet
from hwnas.supernet.engine._parts import in_parts, opened
from hwnas.supernet.ops import folded
from hwnas.task import Inputs

Array = NDArray[Any]


class Statistician:
    """Gathers the statistics of a subnet's batch norms, as :func:`hwnas.supernet.forward` does in torch.

    Args:
        subnet: its weights are copied.
        buffers: where activations are kept.

    Raises:
        SpaceError: a class of op has no ONNX form, or keeps statistics of its own.
    """

    def __init__(self, subnet: Subnet, buffers: Buffers) -> None:
        self.network = subnet.network
        self._prefixes: dict[str, str] = {}
        weights: dict[str, NDArray[np.float32]] = {}
        norms: dict[str, NDArray[np.float32]] = {}
        tensors = {name: tensor.detach().cpu() for name, tensor in subnet.weights().items()}
        for slot, layer in subnet.network:
            for op in layer.ops:
                name, prefix = f"{slot}/{op.name}", norm_prefix(op)
                own = {part: tensors[f"{name}.{part}"] for part in (*op.weights, *op.buffers)}
                if prefix is not None:
                    self._prefixes[name] = prefix
                    norms[f"{name}.scale"] = own[f"{prefix}weight"].numpy()
                    norms[f"{name}.shift"] = own[f"{prefix}bias"].numpy()
                    ones, zeros = torch.ones(op.shape[0]), torch.zeros(op.shape[0])
                    neutral = {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones}
                    own |= {f"{prefix}{part}": tensor for part, tensor in neutral.items()}
                weights |= {f"{name}.{part}": tensor.numpy() for part, tensor in folded(op, own, 0.0).items()}
        found = segments(subnet.network, weights, norms, subnet.bn_eps)
        self._segments = [(segment, opened(segment.model)) for segment in found]
        self._last_use = {name: segment for segment in found for name in segment.takes}
        self._made = {name for segment in found for name in segment.gives}
        self._buffers = buffers

    def gather(self, batch: Inputs, calibration: Calibration) -> None:
        """Adds a batch: every batch norm normalises it by its own statistics."""
        values: dict[str, Array] = dict(feeds(batch))
        n = len(next(iter(values.values())))
        calibration.n_images += n
        for segment, session in self._segments:
            values |= {name: self._buffers.take((n, *shape)) for name, shape in segment.gives.items()}

            mean, variance = _of_all(in_parts(self.network, n, partial(_run, session, segment, values)))
            statistics = zip(STATISTICS, (mean, variance), strict=True)
            values |= {f"{segment.norm}{end}": value.astype(np.float32) for end, value in statistics}
            name = f"{segment.norm}.{self._prefixes[segment.norm]}".removesuffix(".")
            calibration.add(name, torch.from_numpy(mean), torch.from_numpy(variance), n)
            for name in segment.takes:
                if name in self._made and self._last_use[name] is segment:
                    self._buffers.give_back(values.pop(name))


def _run(session: Any, segment: Segment, values: dict[str, Array], part: slice) -> tuple[int, Array, Array]:
    """Number of samples, and moments ``(channels,)`` of a part; the segment's other outputs go into ``values``."""
    binding = session.io_binding()
    for name in segment.takes:
        value = values[name] if name.endswith(STATISTICS) else values[name][part]
        binding.bind_cpu_input(name, value)
    for name in segment.gives:
        value = values[name][part]
        binding.bind_output(name, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
    for name in MOMENTS:
        binding.bind_output(name)
    session.run_with_iobinding(binding)
    mean, variance = (value.numpy().ravel() for value in binding.get_outputs()[-len(MOMENTS) :])
    return part.stop - part.start, mean, variance


def _of_all(parts: list[tuple[int, Array, Array]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and biased variance of everything, from those of its parts (Chan et al. 1979)."""
    sizes, means, variances = (np.array(column, dtype=np.float64) for column in zip(*parts, strict=True))
    share = (sizes / sizes.sum())[:, None]
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean) ** 2)).sum(0)


class Buffers:
    """Memory of activations, used again by the next segment and subnet: fresh pages cost more than what is written to them.

    As much is kept as the largest batch so far took.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.float32]] = []

    def __reduce__(self) -> tuple[type[Buffers], tuple[()]]:
        """Another process begins with none."""
        return Buffers, ()

    def take(self, shape: Shape) -> NDArray[np.float32]:
        """An array with anything in it."""
        size = math.prod(shape)
        fitting = [i for i, flat in enumerate(self._free) if len(flat) >= size]
        best = min(fitting, key=lambda i: len(self._free[i]), default=None)
        flat = np.empty(size, np.float32) if best is None else self._free.pop(best)
        return flat[:size].reshape(shape)

    def give_back(self, array: Any) -> None:
        """What :meth:`take` gave, once it is no longer needed."""
        self._free.append(array.base)
