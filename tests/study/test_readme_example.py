"""The example of the Python interface, as it is documented."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

import hwnas
from hwnas.latency import get_device
from hwnas.space import get_space, macs_cost
from tests.e2e.machine import fake_runtime, save_table


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space = get_space("ofa_mbv3_w1.0")
    small = space.restrict(r=[160, 192, 224])
    ns = {key: round(20_000 + layer.macs / 6) for key, layer in small.layers().items()}
    save_table(ns, small)
    fake_runtime(monkeypatch, ns)

    study = hwnas.Study("ofa_mbv3_w1.0", objectives=["top1", "latency"], budgets={"latency": "60ms"}, device="cpu")
    front = study.search(seed=0, population=40, generations=2)
    front.to_frame()
    front.plot()
    front.save("pareto.csv")
    front.best(latency="40ms")
    front.measure(most=3)
    front.export(row=1, path="subnet.onnx", random_weights=True)
    for x in study.ask(8):
        study.tell(x, {"top1": 70.0 + macs_cost(space)(x[None])[0] / 1e8})

    assert (front.frame["latency_ms"] <= 60).all()
    assert front.best(latency="40ms")["latency_ms"] <= 40
    assert front.measure(most=3).frame["latency_measured_ms"].notna().sum() == min(3, len(front))
    assert json.loads(Path("pareto.json").read_text())["device"]["id"] == get_device("cpu").id
    metadata = {entry.key: entry.value for entry in onnx.load("subnet.onnx").metadata_props}
    assert json.loads(metadata["arch"]) == front.arch(1)
    assert "random" in metadata["weights"]
    assert 1 <= len(study.front()) <= 8
    assert np.isfinite(study.front().frame["top1"]).all()
