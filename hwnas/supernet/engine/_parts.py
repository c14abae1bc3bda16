"""Parts of a batch side by side, in sessions that take one core each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime as ort

P = TypeVar("P")
T = TypeVar("T")


def side_by_side(parts: Sequence[P], run: Callable[[P], T]) -> list[T]:
    """The results of ``run`` for the parts, in their order, on as many threads as torch would use."""
    threads = torch.get_num_threads()
    if threads == 1:
        return [run(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, parts))


def opened(model: bytes, beside: Mapping[str, NDArray[np.float32]] | None = None) -> ort.InferenceSession:
    """A session on the CPU whose runs take one core each. All sessions share the memory of their activations.

    Args:
        model: serialised.
        beside: weights that the model only names, which the session does not copy.
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
    session.beside = beside  # keeps the weights alive
    return session


@cache
def _share_memory() -> None:
    """Create one arena for all sessions, because every segment is a session, and fresh pages cost more than the computing."""
    import onnxruntime as ort

    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_requested = {"arena_extend_strategy": 1, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    ort.create_and_register_allocator(info, ort.OrtArenaCfg({"max_mem": 0, **as_requested}))
