"""The timing loop; it needs only numpy and onnxruntime.

Boards on which hwnas is not installed run this very file, from Python 3.8 on; see `_board`.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "CPUExecutionProvider"

WARM_UPS = 3
"""Untimed runs of a new session: the first run allocates memory and packs weights."""

PACE_RUNS = 3
"""Runs of a new session that decide how many runs its blocks have."""

SETTLE_RUNS, SETTLE_NS = (2, 12), 20e6
"""Untimed runs at the start of a block, fewest and most, and the ns they should take, until the caches hold this session's
data. After another session, the first seven runs of a 2 ms network take 22, 9, 9, 7, 6, 5 and 2.5 % longer, and runs after the
tenth take the usual time. Of a network of 5 ms or more only the first run is slow."""

BLOCK_RUNS, BLOCK_NS = (5, 32), 40e6
"""Timed runs of a block, fewest and most, and the ns they should take."""

LONG_NS, LONG_RUNS = 200e6, (1, 2)
"""A run longer than this averages over changes of the machine's speed. A block then has this many untimed and timed runs."""


def waiting_clock(threads: int, provider: str) -> Callable[[], int]:
    """A clock of the ns that a session has waited for a core while another process held it.

    Networks are timed by the wall clock. The time a run waits depends on the other process, not on the network, so it is
    subtracted, and runs that waited long do not count. A single CPU thread waits while the wall clock advances and its CPU
    time does not. For several threads, or a provider's own threads, the operating system reports the waiting time (some
    systems report 0). Threads may wait at the same time, so the mean over threads is the least delay of a run.
    """
    if threads == 1 and provider == HOST and _fine_thread_time():
        return lambda: time.perf_counter_ns() - time.thread_time_ns()
    return lambda: waited_ns() // threads


def _fine_thread_time() -> bool:
    """Whether the system measures a thread's CPU time to the microsecond."""
    try:
        return time.get_clock_info("thread_time").resolution <= 1e-6
    except ValueError:  # the system has no such clock
        return False


def waited_ns() -> int:
    """ns that the threads of this process have waited for a core; 0 if the system does not report it."""
    total = 0
    with suppress(OSError):
        for task in os.scandir("/proc/self/task"):
            # Not by pathlib, which takes longer than some networks.
            with suppress(OSError, IndexError, ValueError), open(f"{task.path}/schedstat", "rb") as file:  # noqa: PTH123
                total += int(file.read().split()[1])
    return total


def warm_up(sessions: Any) -> None:
    """Run each session a few times, untimed."""
    for session in sessions:
        for _ in range(WARM_UPS):
            session.run()


class Timed:
    """A warmed-up session, and the size of its blocks of back-to-back runs.

    Attributes:
        session: the session.
        settle: untimed runs at the start of a block.
        runs: timed runs after them.
        ns: expected time of a block.
    """

    def __init__(self, session: Any, clock: Callable[[], int]) -> None:
        self.session = session
        took = []
        for _ in range(PACE_RUNS):
            start = clock()
            session.run()
            took.append(max(1, clock() - start))
        each = min(took)
        self.settle = _between(SETTLE_NS / each, SETTLE_RUNS)
        self.runs = _between(BLOCK_NS / each, BLOCK_RUNS)
        if each > LONG_NS:
            self.settle, self.runs = LONG_RUNS
        self.ns = each * (self.settle + self.runs)

    def block(self, clock: Callable[[], int], waiting: Callable[[], int]) -> list[tuple[int, int]]:
        """``(ns, ns waited)`` of each timed run."""
        for _ in range(self.settle):
            self.session.run()
        found = []
        for _ in range(self.runs):
            waited, start = waiting(), clock()
            self.session.run()
            ns = clock() - start
            found.append((ns, max(0, waiting() - waited)))
        return found


def _between(wanted: float, bounds: tuple[int, int]) -> int:
    return int(min(bounds[1], max(bounds[0], np.ceil(wanted))))


def record(
    sessions: list[Timed],
    anchor: Timed,
    *,
    rounds: int,
    rng: np.random.Generator,
    clock: Callable[[], int],
    waiting: Callable[[], int],
    beside: list[Timed] | None = None,
) -> tuple[list[Any], list[Any]]:
    """Time sessions in blocks, each between two blocks of the anchor.

    Each round visits every session once, in a new order. After the block of a session, its partner in ``beside`` (the same
    model with the profiler on) runs a block too; those wall-clock times are not kept.

    Returns:
        For each session an array ``(rounds, runs, 2)`` of ns and ns waited, and an array ``(rounds, 2, runs, 2)`` with the
        same of the anchor, before and after the session.
    """
    times: list[list[Any]] = [[] for _ in sessions]
    anchors: list[list[Any]] = [[] for _ in sessions]
    for _ in range(rounds):
        before = anchor.block(clock, waiting)
        for i in rng.permutation(len(sessions)):
            times[i].append(sessions[i].block(clock, waiting))
            if beside:
                beside[i].block(clock, waiting)
            after = anchor.block(clock, waiting)
            anchors[i].append((before, after))
            before = after
    return [np.array(t, dtype=np.int64) for t in times], [np.array(t, dtype=np.int64) for t in anchors]


def rounds_that_fit(everything: list[Timed], networks: int, bounds: Any, seconds_per_network: float) -> int:
    """Number of rounds that fit the time for each network.

    Args:
        everything: all sessions; the first is the anchor, which runs once per network.
        networks: number of networks.
        bounds: fewest and most rounds.
        seconds_per_network: time for a network, its profiled session and the anchor beside it.
    """
    round_ns = everything[0].ns * networks + sum(each.ns for each in everything[1:])
    fewest, most = bounds
    return int(min(most, max(fewest, seconds_per_network * 1e9 * networks // round_ns)))


def kept_runs(timed: Timed, rounds: int) -> list[int]:
    """Indices of the timed runs of a session's blocks among all its runs, which begin with the warm-up and the pace runs."""
    start, block = WARM_UPS + PACE_RUNS, timed.settle + timed.runs
    return [start + turn * block + timed.settle + run for turn in range(rounds) for run in range(timed.runs)]


def time_in_rounds(
    anchor: Any,
    sessions: list[Any],
    profiled: list[Any],
    *,
    bounds: Any,
    seconds_per_network: float,
    rng: np.random.Generator,
    clock: Callable[[], int],
    waiting: Callable[[], int],
) -> tuple[int, list[Any], list[Any], list[list[int]]]:
    """Warm sessions up, and time them beside the anchor's in as many rounds as fit.

    Returns:
        The number of rounds, what `record` returns, and for each profiled session the indices of its `kept_runs`.
    """
    everything = [anchor, *sessions, *profiled]
    warm_up(everything)
    first, *others = [Timed(session, clock) for session in everything]
    rounds = rounds_that_fit([first, *others], len(sessions), bounds, seconds_per_network)
    plain, beside = others[: len(sessions)], others[len(sessions) :]
    times, anchors = record(plain, first, rounds=rounds, rng=rng, clock=clock, waiting=waiting, beside=beside)
    return rounds, times, anchors, [kept_runs(each, rounds) for each in beside]


def preload(memory: Any) -> None:
    """Let onnxruntime find the CUDA libraries that pip installed: it does not look for them unless asked."""
    import onnxruntime as ort

    if memory[0] == "cuda" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def session_options(threads: int, config: dict[str, str]) -> Any:
    """onnxruntime's options of a session that is to be timed."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in config.items():
        options.add_session_config_entry(key, value)
    return options


def loaded_session(model: Any, options: Any, provider: str, provider_options: dict[str, str]) -> Any:
    """A session of a model, by its content or path; operators that the provider lacks run on the CPU."""
    import onnxruntime as ort

    providers: list[Any] = [(provider, provider_options)]
    if provider != HOST:
        providers.append(HOST)
    return ort.InferenceSession(model, options, providers=providers)


class BoundSession:
    """A session whose inputs and outputs are bound on the device once, so that copies to and from it are not timed."""

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
    """``(node, microseconds)`` of each run in an onnxruntime profile, whose ``model_run`` events separate the runs."""
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
