"""A machine of made-up layer costs: its table, a runtime that takes the true times, a front."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.latency import Device, LatencyTable, Row, get_device
from hwnas.report import pareto_frame, provenance_path, write_pareto, write_provenance
from hwnas.space import Population, SearchSpace, get_space, macs_cost
from tests.latency.fakes import FakeRuntime

SPACE = get_space("digits")


def true_ns(space: SearchSpace = SPACE, spread: float = 0.0) -> dict[str, int]:
    """Layer costs: 50 us and 1 ns per 4 MACs, off by a random share."""
    rng = np.random.default_rng(7)
    return {
        key: round((50_000 + layer.macs / 4) * (1 + spread * rng.standard_normal()))
        for key, layer in space.layers().items()
    }


def ms_of(x: Population, ns: Mapping[str, int], space: SearchSpace = SPACE) -> np.ndarray:
    return np.array([sum(ns[layer.key] for _, layer in space.network(row)) for row in x]) / 1e6


def save_table(ns: Mapping[str, int], space: SearchSpace = SPACE, folder: Path = Path("latency_tables")) -> Device:
    """Save a table of this machine's CPU with the costs ``ns`` below the working folder."""
    device = get_device("cpu")
    rows = [Row.of(layer, ns[key] / 1e6, ns[key] / 1e6, ns[key] / 1e6, 9) for key, layer in space.layers().items()]
    row = space.sample(1, np.random.default_rng(0))[0]
    anchor = {"arch": space.decode(row), "median_ms": float(ms_of(row[None], ns, space)[0])}
    facts = {"fingerprint": space.fingerprint, "method": "in-context", "anchor": anchor}
    precision = "+".join(space.precisions) or "fp32"
    LatencyTable.of(device, rows, {space.name: facts}, precision).save(folder / device.id)
    return device


def fake_runtime(monkeypatch: pytest.MonkeyPatch, ns: Mapping[str, int]) -> list[FakeRuntime]:
    """Let measured subnets take ``ns``; the runtimes that were made come in the list."""
    made: list[FakeRuntime] = []

    def make(_: Device) -> FakeRuntime:
        made.append(FakeRuntime(ns))
        return made[-1]

    monkeypatch.setattr("hwnas.latency.profiling._whole.OnnxRuntime", make)
    return made


def _told(device: Device, folder: Path = Path("latency_tables")) -> dict[str, Any]:
    anchor = LatencyTable.load(folder / device.id).spaces[SPACE.name]["anchor"]
    return {"id": device.id, "conditions": device.to_json(), "space": SPACE.name, "anchor": anchor}


def save_front(x: Population, latency_ms: np.ndarray, budget_ms: float | None, device: Device | None = None) -> Path:
    """``pareto.csv`` with its provenance, as a search writes them."""
    top1 = 50 + 10 * np.log10(macs_cost(SPACE)(x))
    frame = pareto_frame(SPACE.decode_many(x), {"top1": top1, "latency_ms": latency_ms, "macs": macs_cost(SPACE)(x)})
    write_pareto(frame, "pareto.csv")
    facts = {
        "space": {"name": SPACE.name, "fingerprint": SPACE.fingerprint},
        "objectives": ["top1", "latency_ms"],
        "budgets": {} if budget_ms is None else {"latency_ms": budget_ms},
        "device": None if device is None else _told(device),
    }
    write_provenance(facts, provenance_path("pareto.csv"))
    return Path("pareto.csv")
