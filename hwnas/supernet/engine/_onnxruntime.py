"""The engine of CPUs: onnxruntime runs folded graphs, a few samples at a time on every core."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from hwnas.errors import SpaceError
from hwnas.graph import build_beside, build_model, in_precision
from hwnas.progress import notice
from hwnas.supernet._agreement import Batches
from hwnas.supernet._calibration import Calibration
from hwnas.supernet._feeds import feeds_in_parts, ranges_on
from hwnas.supernet._subnet import Subnet, folded_weights
from hwnas.supernet.engine._memory import Memory
from hwnas.supernet.engine._narrowed import narrowed
from hwnas.supernet.engine._parts import opened, side_by_side
from hwnas.supernet.engine._statistics import Statistician
from hwnas.supernet.engine._torch import TorchEngine
from hwnas.task import Inputs

if TYPE_CHECKING:
    import onnxruntime as ort


class OnnxEngine:
    """Runs subnets in onnxruntime. If an op has no ONNX form, torch runs the subnet, and a notice says so.

    Measured values do not depend on the number of threads, which is torch's (``OMP_NUM_THREADS``).
    """

    name = "onnxruntime"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self._memory = Memory()

    def recalibrate(self, subnet: Subnet, batches: Iterable[Inputs]) -> int:
        """As :func:`hwnas.supernet.recalibrate`."""
        try:
            statistician = Statistician(subnet, self._memory)
        except SpaceError as error:
            return _left_to_torch(error).recalibrate(subnet, batches)
        calibration = Calibration()
        with threadpool_limits(1, user_api="blas"):  # each part already uses a core
            for batch in batches:
                statistician.gather(batch, calibration)
        subnet.replace_statistics(calibration.statistics())
        return calibration.n_images

    def runner(self, subnet: Subnet, calibration: Batches | None = None) -> Callable[[Inputs], Tensor]:
        """As :meth:`Engine.runner`. Layers compute in their precisions, in the graph that is exported.

        Raises:
            DataError: int8 needs calibration data, and there are none.
        """
        try:
            session = _session(subnet, calibration)
        except SpaceError as error:
            return _left_to_torch(error).runner(subnet, calibration)

        def run(part: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = session.run(["logits"], part)[0]
            return found

        def logits(batch: Inputs) -> Tensor:
            parts, order = feeds_in_parts(subnet.network, batch)
            found = torch.from_numpy(np.concatenate(side_by_side(parts, run)))
            return found if order is None else found[order.argsort()]

        return logits


def _session(subnet: Subnet, calibration: Batches | None) -> ort.InferenceSession:
    weights = folded_weights(subnet)
    lower = {"int8", "int4"} & {layer.precision for _, layer in subnet.network}
    if not lower:
        model, beside = build_beside(narrowed(subnet.network), weights)
        return opened(model.SerializeToString(), beside)
    model = build_model(subnet.network, weights=weights)
    batches = calibration() if calibration is not None and "int8" in lower else ()
    ranges = ranges_on(model, subnet.network, batches) if "int8" in lower else None
    return opened(in_precision(model, "+".join(["fp32", *sorted(lower)]), ranges).SerializeToString())


def _left_to_torch(error: SpaceError) -> TorchEngine:
    _notice_once(str(error))
    return TorchEngine()


@cache
def _notice_once(reason: str) -> None:
    notice(f"torch evaluates these subnets, more slowly: {reason}")
