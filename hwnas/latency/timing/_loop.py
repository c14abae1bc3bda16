"""The timing loop: with numpy and onnxruntime alone.

Boards on which hwnas is not installed run this very file, from Python 3.8 on; see `_board`.
"""

# ruff: noqa: PLC0415 (onnxruntime takes a while to import; Python 3.8)

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

WARM_UPS = 3
"""Untimed runs of a new session: memory is allocated and weights are packed in the first."""

RUNS = 2
"""Timed runs per visit."""

TRIES, LATE = 6, 0.02
"""A run that waited longer for a core than this share of its time is repeated, so many times at most."""

OWN_THREADS = ("OpenVINOExecutionProvider", "XnnpackExecutionProvider")
"""Providers that run on this CPU, in threads that are theirs."""


def best_clock(threads: int, provider: str) -> Callable[[], int]:
    """The clock to time networks with.

    CPU time leaves out what other processes took meanwhile: on a busy machine it is what the wall clock tells on an
    idle one. A network on one thread of this CPU takes the CPU time of the calling thread; of the process, where the
    provider may run it in a thread of its own. With several threads, or another processor, only the wall clock tells.
    """
    if threads == 1 and provider == "CPUExecutionProvider" and _fine("thread_time"):
        return time.thread_time_ns
    if threads == 1 and provider in OWN_THREADS and _fine("process_time"):
        return time.process_time_ns
    return time.perf_counter_ns


def _fine(clock: Literal["thread_time", "process_time"]) -> bool:
    try:
        return time.get_clock_info(clock).resolution <= 1e-6
    except ValueError:  # the system has no such clock
        return False


def warm_up(sessions: Any) -> None:
    for session in sessions:
        for _ in range(WARM_UPS):
            session.run()


def timed(session: Any, clock: Callable[[], int]) -> list[int]:
    """Times of ``RUNS`` runs in ns, after an untimed one: before it, the caches hold another network's weights."""
    session.run()
    return [_undisturbed(session, clock) for _ in range(RUNS)]


def _undisturbed(session: Any, clock: Callable[[], int]) -> int:
    """Time of one run in ns; by the wall clock, of the one of ``TRIES`` whose threads waited least for a core.

    Several threads wait for each other, so that one that has to share its core with another process slows all: with
    two other processes on two cores, runs take three times as long, and those that did not have to wait as usual.
    """
    if clock is not time.perf_counter_ns:
        start = clock()
        session.run()
        return clock() - start
    found = []
    for _ in range(TRIES):
        waited, start = waited_ns(), clock()
        session.run()
        ns = clock() - start
        found.append((waited_ns() - waited, ns))
        if found[-1][0] <= LATE * ns:
            break
    return min(found)[1]


def waited_ns() -> int:
    """How long the threads of this process have waited for a core so far; 0 where the system does not tell."""
    total = 0
    with suppress(OSError):
        for task in os.scandir("/proc/self/task"):
            # Not by pathlib, which takes longer than some networks.
            with suppress(OSError, IndexError, ValueError), open(f"{task.path}/schedstat", "rb") as file:  # noqa: PTH123
                total += int(file.read().split()[1])
    return total


def record(
    sessions: Any,
    anchor: Any,
    *,
    rounds: int,
    rng: np.random.Generator,
    clock: Callable[[], int],
    beside: Callable[[int], None] | None = None,
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Times of sessions and of the anchor next to them, ``(rounds, sessions, RUNS)`` each, in ns.

    Each round visits every session once, in a new order; ``beside(i)`` is called after each visit to session ``i``.
    """
    times = np.zeros((rounds, len(sessions), RUNS), dtype=np.int64)
    anchors = np.zeros_like(times)
    for turn in range(rounds):
        for i in rng.permutation(len(sessions)):
            anchors[turn, i] = timed(anchor, clock)
            times[turn, i] = timed(sessions[i], clock)
            if beside is not None:
                beside(int(i))
    return times, anchors


def rounds_that_fit(sessions: Any, clock: Callable[[], int], bounds: Any, seconds_per_network: float) -> int:
    """Rounds for the time that a network may take, judged by one visit to each session.

    Args:
        sessions: all that take part.
        clock: nanoseconds.
        bounds: fewest and most rounds.
        seconds_per_network: spent on a network, the anchor beside it and its profiled session.
    """
    start = clock()
    for session in sessions:
        session.run()
    # A visit runs the network, the anchor and the profiled network, each RUNS + 1 times.
    visit_s = (clock() - start) / 1e9 / len(sessions) * 3 * (RUNS + 1)
    fewest, most = bounds
    return int(min(most, max(fewest, seconds_per_network // max(visit_s, 1e-9))))


def preload(memory: Any) -> None:
    """Let onnxruntime find the CUDA libraries that pip installed; it does not look for them by itself."""
    import onnxruntime as ort

    if memory[0] == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


class BoundSession:
    """Inputs and outputs are bound on the device once, so that copies to and from it are not timed."""

    def __init__(self, session: Any, feed: Any, memory: Any) -> None:
        import onnxruntime as ort

        self.session = session
        self._binding = session.io_binding()
        kind, index = memory
        for name, value in feed.items():
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(value, kind, index))
        for output in session.get_outputs():
            self._binding.bind_output(output.name, kind, index)

    def run(self) -> None:
        """One inference, finished when it returns."""
        self.session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()


def node_times(events: list[dict[str, Any]]) -> list[list[tuple[str, float]]]:
    """``(node, microseconds)`` of each run in an onnxruntime profile: node events lie between ``model_run`` events."""
    starts = sorted(e["ts"] for e in events if e["name"] == "model_run")
    runs: list[list[tuple[int, str, float]]] = [[] for _ in starts]
    suffix = "_kernel_time"
    for event in events:
        name = event["name"]
        if event.get("cat") == "Node" and name.endswith(suffix):
            run = int(np.searchsorted(starts, event["ts"], side="right")) - 1
            if run >= 0:
                runs[run].append((event["ts"], name[: -len(suffix)], float(event["dur"])))
    return [[(name, duration) for _, name, duration in sorted(run, key=lambda e: e[0])] for run in runs]
