"""The script that times a bundle's networks on a device where hwnas is not installed.

A bundle holds this file as ``run.py`` beside the timing loop, ``plan.json`` and the models. It needs Python 3.8, numpy and
onnxruntime 1.16, or later versions.

    python3 run.py [--out board.csv]

It records only raw times; hwnas computes statistics when it imports the result. If it is killed, the same command resumes: every
finished block of networks is a line of ``journal.jsonl``, which is on disk before the next block begins.
"""

# ruff: noqa: T201 (a script: it prints)

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.latency.device._facts import cpu_facts, memory_pages, nvidia_facts, usable_cores
from hwnas.latency.timing._alone import alone
from hwnas.latency.timing._loop import (
    HOST,
    BoundSession,
    loaded_session,
    node_times,
    preload,
    session_options,
    time_in_rounds,
    waiting_clock,
)

COLUMNS = ("plan", "device", "block", "network", "what", "index", "name", "values")
"""Of the result. Every row names its plan and device, so that mixed files are detected."""

CHUNK = 60_000
"""Characters of the plan in one row; CSV readers refuse longer fields."""

JOURNAL, PLAN, OUT = "journal.jsonl", "plan.json", "board.csv"

SCRATCH = "scratch"
"""Folder for the profiles of one block of networks."""


class BoardError(Exception):
    """An error on a board, with a message of one line."""


class _Sessions:
    """onnxruntime sessions of the bundle's models, on the plan's device."""

    def __init__(self, folder: Path, device: dict[str, Any]) -> None:
        self.folder = folder
        self.device = device

    def plain(self, model: dict[str, Any]) -> BoundSession:
        return self._bound(model, self._options())

    def profiled(self, model: dict[str, Any], scratch: Path) -> BoundSession:
        options = self._options()
        options.enable_profiling = True
        # onnxruntime only adds the time in seconds to the name, and a block may hold a network twice.
        options.profile_file_prefix = str(Path(tempfile.mkdtemp(dir=scratch)) / "nodes")
        return self._bound(model, options)

    def _options(self) -> Any:
        return session_options(self.device["threads"], self.device["session_config"])

    def _bound(self, model: dict[str, Any], options: Any) -> BoundSession:
        provider = self.device["provider"]
        try:
            session = loaded_session(str(self.folder / model["file"]), options, provider, self.device["options"])
        except Exception as error:  # onnxruntime raises RuntimeError, and its own exceptions
            raise BoardError(f"{model['file']}: onnxruntime fails: {str(error).splitlines()[0]}") from error
        if provider not in session.get_providers():
            raise BoardError(f"onnxruntime could not start {provider} and fell back to the CPU; check its driver")
        rng = np.random.default_rng(0)
        feed = {each["name"]: _values(each, rng) for each in model["inputs"]}
        return BoundSession(session, feed, self.device["memory"])


def _values(expected: dict[str, Any], rng: np.random.Generator) -> Any:
    """Random values of an input, as in `hwnas.graph.Model.feed`."""
    element, shape, below = expected["element"], expected["shape"], expected["below"]
    if np.issubdtype(np.dtype(element), np.floating):
        return rng.standard_normal(shape, dtype=np.float32).astype(element)
    return np.ones(shape, dtype=element) if below is None else rng.integers(below, size=shape, dtype=element)


def main(arguments: list[str] | None = None) -> int:
    """Run the rest of the plan beside this file, and write the result."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as hwnas does, which is not installed here
    folder = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Time the models of this folder; killed, the same command resumes.")
    parser.add_argument("--out", type=Path, default=folder / OUT, help="the result, for: hwnas profile --import")
    try:
        run(folder, parser.parse_args(arguments).out)
    except (BoardError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        return 130
    return 0


def run(folder: Path, out: Path) -> None:
    """Time the networks of the plan in ``folder`` that are not in the journal yet, and write ``out``."""
    try:
        text = (folder / PLAN).read_bytes()
        plan = json.loads(text)
        blocks = plan["blocks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BoardError(f"{PLAN} cannot be read ({error}); unpack the bundle again") from error
    digest = hashlib.sha256(text).hexdigest()
    here = device_facts(plan["device"])
    preload(plan["device"]["memory"])
    make_weights(folder / plan["weights"]["file"], plan["weights"])
    steps = sum(len(block["networks"]) for block in blocks)
    with (folder / JOURNAL).open("a+b") as journal, alone(_say):
        done = _begun(journal, {"journal": 1, "plan": digest, "device": here})
        for number, block in enumerate(blocks):
            finished = sum(len(b["networks"]) for b in blocks[:number])
            print(f"{finished} of {steps} timings done; {block['stage']}", flush=True)
            if number not in done:
                done[number] = _measured(folder, plan, number)
                _append(journal, done[number])
        print(f"{steps} of {steps} timings done", flush=True)
    write_result(out, text.decode(), digest, here, [done[number] for number in range(len(blocks))])
    options = plan["space"].get("options")
    named = f" {options}" if options else ""
    print(f"wrote {out}; on the host: hwnas profile --import {out.name} --device NAME{named}", flush=True)


def _say(line: str) -> None:
    print(line, flush=True)


def device_facts(device: dict[str, Any]) -> dict[str, Any]:
    """Hardware and software of this board, checked against the plan's device."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BoardError(f"onnxruntime cannot be imported ({error}); install it for {sys.executable}") from error
    version = [int(part) for part in ort.__version__.split(".")[:2]]
    if version < [1, 16]:
        raise BoardError(f"onnxruntime {ort.__version__} is too old; install 1.16 or later")
    if device["provider"] not in ort.get_available_providers():
        raise BoardError(f"onnxruntime {ort.__version__} has no {device['provider']}; install {device['package']}")
    if device["threads"] > usable_cores():
        raise BoardError(f"{device['threads']} threads: this process has {usable_cores()} cores; make another bundle")
    nvidia = device["memory"][0] == "cuda"
    return {
        "hardware": nvidia_facts(device["memory"][1]) if nvidia else cpu_facts(),
        "pages": memory_pages() if device["provider"] == HOST else "usual",
        "runtime": f"onnxruntime {ort.__version__}",
        "provider": device["provider"],
        "threads": device["threads"],
        "batch": device["batch"],
        "os": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def make_weights(path: Path, weights: dict[str, Any]) -> None:
    """Write the weights of all models. They are drawn here because they are too large to send, and any values will do.

    Args:
        path: of the file.
        weights: ``parts``: pairs of standard deviation and number of floats; ``seed``.
    """
    size = 4 * sum(count for _, count in weights["parts"])
    if path.exists() and path.stat().st_size == size:
        return
    rng = np.random.default_rng(weights["seed"])
    part = _part(path)
    with part.open("wb") as file:
        for scale, count in weights["parts"]:
            for start in range(0, count, 1 << 20):
                values = rng.standard_normal(min(1 << 20, count - start), dtype=np.float32)
                file.write((values * np.float32(scale)).astype("<f4").tobytes())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _measured(folder: Path, plan: dict[str, Any], number: int) -> dict[str, Any]:
    """Measure one block in the same way as `hwnas.latency.timing._block.measure_together`."""
    block, device, timer = plan["blocks"][number], plan["device"], plan["timer"]
    models = [plan["networks"][network] for network, _ in block["networks"]]
    sessions = _Sessions(folder, device)
    scratch, started = folder / SCRATCH, time.monotonic()
    shutil.rmtree(scratch, ignore_errors=True)  # left over from a run that was killed
    scratch.mkdir()
    try:
        beside, *plain = [sessions.plain(model) for model in [plan["anchor"], *models]]
        profiled = [sessions.profiled(model, scratch) for model in models] if block["layers"] else []
        rounds, times, anchors, kept = time_in_rounds(
            beside,
            plain,
            profiled,
            bounds=timer["rounds"],
            seconds_per_network=timer["seconds_per_network"],
            rng=np.random.default_rng([plan["settings"]["seed"], number]),
            clock=time.perf_counter_ns,
            waiting=waiting_clock(device["threads"], device["provider"]),
        )
        nodes = [_nodes(session, runs) for session, runs in zip(profiled, kept)]  # noqa: B905 (Python 3.10)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {
        "block": number,
        "seconds": round(time.monotonic() - started, 1),
        "rounds": rounds,
        "times": [values.tolist() for values in times],
        "anchor": [values.tolist() for values in anchors],
        "nodes": nodes,
    }


def _nodes(profiled: BoundSession, kept: list[int]) -> list[tuple[str, list[float]]]:
    """``(node, microseconds in each kept run)`` in the order of execution."""
    events = json.loads(Path(profiled.session.end_profiling()).read_text(encoding="utf-8"))
    every = node_times(events)
    runs = [every[i] for i in kept]
    names = [name for name, _ in runs[0]]
    alike = [run for run in runs if [name for name, _ in run] == names]
    return [(name, [run[i][1] for run in alike]) for i, name in enumerate(names)]


def _begun(journal: Any, header: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Finished blocks by number; a line that was cut off is dropped."""
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
    if not all(isinstance(entry, dict) for entry in entries) or not all("block" in entry for entry in entries[1:]):
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


def write_result(out: Path, plan: str, digest: str, device: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    """Write the raw times of all blocks as CSV, atomically."""
    parsed = json.loads(plan)
    described = json.dumps(device, sort_keys=True)
    tags = [digest[:16], hashlib.sha256(described.encode()).hexdigest()[:16]]
    rows: list[list[Any]] = [["", "", "device", 0, "", described]]
    rows += [["", "", "plan", i, "", plan[at : at + CHUNK]] for i, at in enumerate(range(0, len(plan), CHUNK))]
    for block in blocks:
        networks = [network for network, _ in parsed["blocks"][block["block"]]["networks"]]
        rows += [[block["block"], "", what, 0, "", block[what]] for what in ("seconds", "rounds")]
        for i, network in enumerate(networks):
            for what, key in (("anchor", "anchor"), ("run", "times")):
                values = np.array(block[key][i]).reshape(-1, 2).T.tolist()
                for kind, numbers in zip(("ns", "waited_ns"), values):  # noqa: B905 (Python 3.10)
                    rows.append([block["block"], network, f"{what}_{kind}", 0, "", _spaced(numbers)])
            if block["nodes"]:
                for index, (name, values) in enumerate(block["nodes"][i]):
                    rows.append([block["block"], network, "node_us", index, name, _spaced(values)])
    rows.append(["", "", "end", 0, "", len(rows)])
    part = _part(out)
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*tags, *row] for row in rows)
        file.flush()
        os.fsync(file.fileno())
    part.replace(out)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _spaced(values: list[float]) -> str:
    return " ".join(f"{value:.17g}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
