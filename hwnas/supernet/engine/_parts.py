"""Batches in parts, and sessions that run them side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.space import Network
from hwnas.supernet._feeds import slices

if TYPE_CHECKING:
    import onnxruntime as ort

P = TypeVar("P")
T = TypeVar("T")


def in_parts(network: Network, n: int, run: Callable[[slice], T]) -> list[T]:
    """What ``run`` makes of the parts of a batch of ``n``, see `side_by_side`."""
    return side_by_side(slices(network, n), run)


def side_by_side(parts: Sequence[P], run: Callable[[P], T]) -> list[T]:
    """What ``run`` makes of each part, in their order, on as many threads as torch would take."""
    threads = torch.get_num_threads()
    if threads == 1:
        return [run(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, parts))


def opened(model: bytes, beside: Mapping[str, NDArray[np.float32]] | None = None) -> ort.InferenceSession:
    """A session on the CPU whose runs take one core each. All of them share the memory of their activations.

    Args:
        model: serialised.
        beside: weights that it only names; the session reads them where they are.
    """
    import onnxruntime as ort

    _share_memory()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.use_env_allocators", "1")
    if beside:
        options.add_external_initializers(list(beside), [ort.OrtValue.ortvalue_from_numpy(x) for x in beside.values()])
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    session.beside = beside  # keeps them for as long
    return session


@cache
def _share_memory() -> None:
    """An arena of the process: fresh pages cost more than what is computed in them, and every segment is a session."""
    import onnxruntime as ort

    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_requested = {"arena_extend_strategy": 1, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    ort.create_and_register_allocator(info, ort.OrtArenaCfg({"max_mem": 0, **as_requested}))
