"""The timing loop, and the script that runs it on devices where hwnas is not installed.

A bundle holds this very file as ``run.py``, beside ``plan.json`` and the models. It needs Python 3.8, numpy
and onnxruntime 1.16 or later, and imports nothing else: profiling on the host calls the same functions.

    python3 run.py [--out board.csv]

It records raw times alone; statistics are made where the result is imported. Killed at any moment, the same
command resumes: every finished block of networks is a line of ``journal.jsonl``, on disk before the next begins.
"""

# ruff: noqa: PLC0415, PTH, T201 (Python 3.8; onnxruntime takes a while to import)

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UPS = 3
"""Untimed runs of a new session: memory is allocated and weights are packed in the first."""

RUNS = 2
"""Timed runs per visit."""

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
"""CPU features that inference kernels are chosen by, as Linux names them."""

COLUMNS = ("plan", "device", "block", "network", "what", "index", "name", "values")
"""Of the result. Every row tells the plan and the device it belongs to, so that mixed files are found out."""

CHUNK = 60_000
"""Characters of the plan in one row; CSV readers refuse longer fields."""

JOURNAL, PLAN, OUT = "journal.jsonl", "plan.json", "board.csv"


# --- timing: shared with profiling on the host --------------------------------------------------


def best_clock(threads: int, *, on_host: bool) -> Callable[[], int]:
    """The clock to time networks with.

    A network on one thread of this CPU runs in the calling thread, whose own CPU time leaves out what
    other processes took meanwhile: on a busy machine it is what the wall clock tells on an idle one.
    """
    try:
        fine = time.get_clock_info("thread_time").resolution <= 1e-6
    except ValueError:  # the system has no such clock
        fine = False
    return time.thread_time_ns if threads == 1 and on_host and fine else time.perf_counter_ns


def warm_up(sessions: Any) -> None:
    for session in sessions:
        for _ in range(WARM_UPS):
            session.run()


def timed(session: Any, clock: Callable[[], int]) -> list[int]:
    """Times of ``RUNS`` runs in ns, after an untimed one: before it, the caches hold another network's weights."""
    session.run()
    times = []
    for _ in range(RUNS):
        start = clock()
        session.run()
        times.append(clock() - start)
    return times


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


def cpu_facts() -> dict[str, Any]:
    """The CPU of this machine: ``name``, ``model``, ``features``, ``system``."""
    system = f"{platform.system()} {platform.machine()}"
    info = _proc_cpuinfo()
    if info:
        flags = (info.get("flags") or info.get("features") or "").split()
        model = " ".join(info[k] for k in ("cpu family", "model", "stepping", "cpu part") if k in info)
        name = info.get("model name") or info.get("hardware") or platform.machine()
        return {"name": name, "model": model, "features": [f for f in FEATURES if f in flags], "system": system}
    name = output_of(["sysctl", "-n", "machdep.cpu.brand_string"]) if platform.system() == "Darwin" else ""
    name = name or platform.processor() or platform.machine() or "unknown"
    return {"name": name, "model": "", "features": [], "system": system}


def nvidia_facts(index: int) -> dict[str, Any]:
    """An NVIDIA GPU, by its driver's own tool."""
    line = output_of(["nvidia-smi", f"--id={index}", "--query-gpu=name,driver_version", "--format=csv,noheader"])
    name, _, driver = line.partition(",")
    return {
        "name": name.strip() or "nvidia gpu",
        "model": f"driver {driver.strip()}" if driver else "",
        "features": [],
        "system": f"{platform.system()} {platform.machine()}",
    }


def _proc_cpuinfo() -> dict[str, str]:
    """Fields of the first processor, by lower-case name; empty where there is no such file."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return {}
    first = text.split("\n\n", 1)[0]
    fields = (line.partition(":") for line in first.splitlines() if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in fields}


def output_of(command: list[str]) -> str:
    """What a command prints; nothing if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


# --- the script on the board ----------------------------------------------------------------------


class BoardError(Exception):
    """Told in one line."""


class _Sessions:
    """onnxruntime sessions of the bundle's models, as the plan's device wants them."""

    def __init__(self, folder: str, device: dict[str, Any]) -> None:
        self.folder = folder
        self.device = device

    def plain(self, model: str, shape: list[int]) -> BoundSession:
        return self._bound(model, shape, self._options())

    def profiled(self, model: str, shape: list[int], scratch: str) -> BoundSession:
        options = self._options()
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(scratch, os.path.basename(model))
        return self._bound(model, shape, options)

    def _options(self) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self.device["threads"]
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        for key, value in self.device["session_config"].items():
            options.add_session_config_entry(key, value)
        return options

    def _bound(self, model: str, shape: list[int], options: Any) -> BoundSession:
        import onnxruntime as ort

        provider = self.device["provider"]
        providers: list[Any] = [(provider, self.device["options"])]
        if provider != "CPUExecutionProvider":
            providers.append("CPUExecutionProvider")
        try:
            session = ort.InferenceSession(os.path.join(self.folder, model), options, providers=providers)
        except Exception as error:  # onnxruntime raises RuntimeError, its own and pybind's
            raise BoardError(f"{model}: onnxruntime fails: {str(error).splitlines()[0]}") from error
        if provider not in session.get_providers():
            raise BoardError(f"onnxruntime could not start {provider} and fell back to the CPU; check its driver")
        feed = {"input": np.random.default_rng(0).standard_normal(shape, dtype=np.float32)}
        return BoundSession(session, feed, self.device["memory"])


def main(arguments: list[str] | None = None) -> int:
    """Run the plan beside this file, or what is left of it; write the result."""
    folder = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="Time the models of this folder; killed, the same command resumes.")
    parser.add_argument("--out", default=os.path.join(folder, OUT), help="the result, for: hwnas profile --import")
    try:
        run(folder, parser.parse_args(arguments).out)
    except (BoardError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        return 130
    return 0


def run(folder: str, out: str) -> None:
    try:
        with open(os.path.join(folder, PLAN), "rb") as file:
            text = file.read()
        plan = json.loads(text)
        blocks = plan["blocks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BoardError(f"{PLAN} cannot be read ({error}); unpack the bundle again") from error
    digest = hashlib.sha256(text).hexdigest()
    here = device_facts(plan["device"])
    make_weights(os.path.join(folder, plan["weights"]["file"]), plan["weights"])
    steps = sum(len(block["networks"]) for block in blocks)
    with open(os.path.join(folder, JOURNAL), "a+b") as journal:
        done = _begun(journal, {"journal": 1, "plan": digest, "device": here})
        for number, block in enumerate(blocks):
            finished = sum(len(b["networks"]) for b in blocks[:number])
            print(f"{finished} of {steps} timings done; {block['stage']}", flush=True)
            if number not in done:
                done[number] = _measured(folder, plan, number)
                _append(journal, done[number])
        print(f"{steps} of {steps} timings done", flush=True)
    write_result(out, text.decode(), digest, here, [done[number] for number in range(len(blocks))])
    print(f"wrote {out}; on the host: hwnas profile --import {os.path.basename(out)} --device NAME", flush=True)


def device_facts(device: dict[str, Any]) -> dict[str, Any]:
    """What the plan's networks run on here."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BoardError(f"onnxruntime cannot be imported ({error}); install it for {sys.executable}") from error
    version = [int(part) for part in ort.__version__.split(".")[:2]]
    if version < [1, 16]:
        raise BoardError(f"onnxruntime {ort.__version__} is too old; install 1.16 or later")
    if device["provider"] not in ort.get_available_providers():
        raise BoardError(f"onnxruntime {ort.__version__} has no {device['provider']}; install {device['package']}")
    if device["threads"] > (os.cpu_count() or 1):
        raise BoardError(f"{device['threads']} threads: this machine has {os.cpu_count()} cores; make another bundle")
    nvidia = device["memory"][0] == "cuda"
    return {
        "hardware": nvidia_facts(device["memory"][1]) if nvidia else cpu_facts(),
        "runtime": f"onnxruntime {ort.__version__}",
        "provider": device["provider"],
        "threads": device["threads"],
        "batch": device["batch"],
        "os": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def make_weights(path: str, weights: dict[str, Any]) -> None:
    """The values all models read: too large to send, and any of their size do.

    Args:
        path: where.
        weights: ``parts``: pairs of standard deviation and number of floats; ``seed``.
    """
    size = 4 * sum(count for _, count in weights["parts"])
    if os.path.exists(path) and os.path.getsize(path) == size:
        return
    rng = np.random.default_rng(weights["seed"])
    with open(path + ".part", "wb") as file:
        for scale, count in weights["parts"]:
            for start in range(0, count, 1 << 20):
                values = rng.standard_normal(min(1 << 20, count - start), dtype=np.float32)
                file.write((values * np.float32(scale)).astype("<f4").tobytes())
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)


def _measured(folder: str, plan: dict[str, Any], number: int) -> dict[str, Any]:
    """One block: as profiling on the host measures it."""
    block, device, timer = plan["blocks"][number], plan["device"], plan["timer"]
    clock = best_clock(device["threads"], on_host=device["provider"] == "CPUExecutionProvider")
    models = [plan["networks"][network] for network, _ in block["networks"]]
    sessions = _Sessions(folder, device)
    scratch = tempfile.mkdtemp(prefix="hwnas-")
    try:
        reference, *plain = [sessions.plain(m["file"], m["shape"]) for m in [plan["anchor"], *models]]
        profiled = [sessions.profiled(m["file"], m["shape"], scratch) for m in models] if block["layers"] else []
        everything = [reference, *plain, *profiled]
        warm_up(everything)

        def beside(i: int) -> None:
            if profiled:
                timed(profiled[i], clock)

        rounds = rounds_that_fit(everything, clock, timer["rounds"], timer["seconds_per_network"])
        times, anchors = record(
            plain,
            reference,
            rounds=rounds,
            rng=np.random.default_rng([plan["settings"]["seed"], number]),
            clock=clock,
            beside=beside,
        )
        nodes = [_nodes(session) for session in profiled]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {"block": number, "times": times.tolist(), "anchor": anchors.tolist(), "nodes": nodes}


def _nodes(profiled: BoundSession) -> list[tuple[str, list[float]]]:
    """``(node, its microseconds in each run)`` in the order of execution, of the runs after the warm-up."""
    with open(profiled.session.end_profiling(), encoding="utf-8") as file:
        runs = node_times(json.load(file))[WARM_UPS:]
    names = [name for name, _ in runs[0]]
    alike = [run for run in runs if [name for name, _ in run] == names]
    return [(name, [run[i][1] for run in alike]) for i, name in enumerate(names)]


def _begun(journal: Any, header: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Finished blocks by number; what was cut off in the middle of a line is dropped."""
    _lock(journal)
    journal.seek(0)
    lines = journal.read().split(b"\n")
    whole = sum(len(line) + 1 for line in lines[:-1])
    journal.truncate(whole)
    if not whole:
        _append(journal, header)
        return {}
    entries: list[Any] = []
    for number, line in enumerate(lines[:-1]):
        try:
            entries.append(json.loads(line))
        except ValueError:
            if number < len(lines) - 2:
                raise BoardError(f"{JOURNAL}, line {number + 1}: it is damaged; delete it to begin anew") from None
            journal.truncate(whole - len(line) - 1)
    if not entries:
        _append(journal, header)
        return {}
    if not all(isinstance(entry, dict) for entry in entries):
        raise BoardError(f"{JOURNAL} is damaged; delete it to begin anew")
    for key, what in (("plan", "with another plan"), ("device", "on another device or with other software")):
        if entries[0].get(key) != header[key]:
            raise BoardError(f"{JOURNAL} was begun {what}; finish it there, or delete it to begin anew")
    return {entry["block"]: entry for entry in entries[1:]}


def _append(journal: Any, entry: dict[str, Any]) -> None:
    journal.write(json.dumps(entry).encode() + b"\n")
    journal.flush()
    os.fsync(journal.fileno())


def _lock(journal: Any) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BoardError("another run.py is at work in this folder; wait for it, or stop it") from None


def write_result(out: str, plan: str, digest: str, device: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    """The raw times of all blocks as CSV, whole or not at all."""
    parsed = json.loads(plan)
    described = json.dumps(device, sort_keys=True)
    tags = [digest[:16], hashlib.sha256(described.encode()).hexdigest()[:16]]
    rows: list[list[Any]] = [["", "", "device", 0, "", described]]
    rows += [["", "", "plan", i, "", plan[at : at + CHUNK]] for i, at in enumerate(range(0, len(plan), CHUNK))]
    for block in blocks:
        networks = [network for network, _ in parsed["blocks"][block["block"]]["networks"]]
        for i, network in enumerate(networks):
            for what, key in (("anchor_ns", "anchor"), ("run_ns", "times")):
                values = [time for turn in block[key] for time in turn[i]]
                rows.append([block["block"], network, what, 0, "", _spaced(values)])
            if block["nodes"]:
                for index, (name, values) in enumerate(block["nodes"][i]):
                    rows.append([block["block"], network, "node_us", index, name, _spaced(values)])
    rows.append(["", "", "end", 0, "", len(rows)])
    with open(out + ".part", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*tags, *row] for row in rows)
        file.flush()
        os.fsync(file.fileno())
    os.replace(out + ".part", out)


def _spaced(values: list[float]) -> str:
    return " ".join(f"{value:.17g}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
