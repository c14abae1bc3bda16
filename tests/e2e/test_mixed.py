"""``--precision fp32,int8``: precisions searched with the architecture, from the table to the exported file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from hwnas.graph import mixed_space, size_cost
from hwnas.space import get_space, macs_cost
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import fake_runtime, ms_of, save_table, true_ns

PLAIN = get_space("digits")
MIXED = mixed_space(PLAIN, "fp32+int8")
QUICK = ("--searcher", "random", "--population", 100, "--generations", 2)
SMALL = ("--fix", "r=8", "--fix", "ks=3", "--fix", "e=2,6")
SEARCH = ("search", "--space", "digits", "--precision", "fp32,int8", "--as-is")


def archs(frame: pd.DataFrame) -> np.ndarray:
    return MIXED.encode_many([json.loads(cell) for cell in frame["arch"]])


def properties(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_from_a_table_to_a_file(hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = true_ns(MIXED, spread=0.3)
    save_table(truth, MIXED)
    fake_runtime(monkeypatch, truth)
    ran = hwnas(*SEARCH, *SMALL, "--objectives", "macs:max,latency", "--searcher", "exact", "--budget", "size<=60kB")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    x = archs(frame)
    np.testing.assert_allclose(frame["latency_ms"], ms_of(x, truth, MIXED), rtol=1e-4)
    np.testing.assert_allclose(frame["macs"], macs_cost(MIXED)(x), rtol=1e-4)
    assert (frame["size_bytes"] <= 60e3).all()
    facts = json.loads(Path("pareto.json").read_text())
    assert facts["space"]["name"] == "digits-fp32+int8"
    assert facts["device"]["precision"] == "fp32+int8"
    part = MIXED.restrict(r=8, ks=3, e=[2, 6])
    drawn = part.sample(250, np.random.default_rng(0))
    drawn = drawn[size_cost(part)(drawn) <= 60e3]
    assert len(drawn) > 30
    for macs, ms in zip(macs_cost(part)(drawn), ms_of(drawn, truth, MIXED), strict=True):
        assert ((frame["latency_ms"] <= ms * (1 + 1e-5)) & (frame["macs"] >= macs * (1 - 1e-5))).any()

    ran = hwnas("measure", "pareto.csv", "--most", 5)
    assert ran.code == 0, ran.err
    measured = pd.read_csv("pareto.csv").dropna(subset=["latency_measured_ms"])
    np.testing.assert_allclose(measured["latency_measured_ms"], measured["latency_ms"], rtol=1e-3)

    ran = hwnas("export", "pareto.csv", "--row", 1, "--images", 200, "--agreement", 50, "--out", "m.onnx")
    assert ran.code == 0, ran.err
    told, row = properties(Path("m.onnx")), frame.iloc[0]
    assert told["precision"] == "fp32+int8"
    policy = {slot: layer.precision for slot, layer in MIXED.network(x[0]) if "_to_" not in slot}
    assert json.loads(told["precisions"]) == policy
    assert f"int8, {sum(p == 'int8' for p in policy.values())} of {len(policy)} layers: " in ran.err
    assert "decided alike" in ran.err
    assert abs(Path("m.onnx").stat().st_size - row["size_bytes"]) < 0.005 * row["size_bytes"] + 2000
    refused = hwnas("export", "pareto.csv", "--row", 1, "--precision", "int8", "--out", "n.onnx")
    assert refused.code == 2
    assert "each layer of this front has a precision of its own; drop --precision" in refused.err
    refused = hwnas("measure", "pareto.csv", "--precision", "int8")
    assert refused.code == 2
    assert "layers of digits-fp32+int8 have their own, fp32 or int8" in refused.err


def test_accuracy_is_measured_on_the_graph_that_is_exported(hwnas: Hwnas) -> None:
    evaluate = ("--evaluate", "--evals", 10, "--images", 150, "--calibrate", 100)
    ran = hwnas(*SEARCH, *evaluate, "--objectives", "top1,size", "--fix", "r=8", "--fix", "q=int8")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    ran = hwnas(
        "export", "pareto.csv", "--row", 1, "--images", 150, "--calibrate", 100, "--agreement", 1, "--out", "m.onnx"
    )
    assert ran.code == 0, ran.err
    assert float(properties(Path("m.onnx"))["top1"]) == pytest.approx(frame["top1_measured"][0], abs=0.01)
    assert "top1_fp32" not in properties(Path("m.onnx"))


def test_fp32_accuracies_beside_int8_sizes_are_called_so(hwnas: Hwnas) -> None:
    one = ("--precision", "int8", "--fix", "r=8", "--evaluate", "--evals", 8)
    ran = hwnas("search", "--space", "digits", *one, "--objectives", "top1,size")
    assert ran.code == 0, ran.err
    told = "size is of int8, top1 of fp32 weights: with --precision fp32,int8 --fix q=int8 it is measured in int8"
    assert told in ran.err


def test_evaluations_of_policies_are_fitted_and_searched_by(hwnas: Hwnas) -> None:
    few = ("--sample", 14, "--images", 60, "--calibrate", 60, "--fix", "r=8")
    ran = hwnas("evaluate", "--supernet", "digits", "--precision", "fp32,int8", *few, "--out", "a.csv")
    assert ran.code == 0, ran.err
    assert "hwnas fit a.csv --space digits-fp32+int8" in ran.err
    assert "evaluated on all of them: --images, --calibrate have an effect only with --data" in ran.err
    export = ("--row", 2, "--supernet", "digits", "--agreement", 1, "--out", "m.onnx")
    assert hwnas("export", "a.csv", *export, "--precision", "fp32,int8").code == 0
    told = properties(Path("m.onnx"))
    assert float(told["top1"]) == pytest.approx(pd.read_csv("a.csv")["top1"][1], abs=1e-4)  # as it was run, not of fp32
    assert "top1_fp32" not in told
    assert hwnas("fit", "a.csv", "--space", "digits-fp32+int8", "--model", "ridge", "--out", "p.safetensors").code == 0
    ran = hwnas(*SEARCH, "--predictor", "p.safetensors", "--objectives", "top1,size", *SMALL, *QUICK)
    assert ran.code == 0, ran.err
    assert "of fp32 weights" not in ran.err
    assert hwnas("export", "pareto.csv", *export).code == 0
    assert properties(Path("m.onnx"))["top1_source"] == "predicted (pareto.csv, row 2)"
    evaluates = ("evaluate", "--supernet", "digits", "--archs", "a.csv", "--out", "b.csv")
    for command in (evaluates, ("fit", "a.csv", "--space", "digits", "--out", "b.safetensors")):
        ran = hwnas(*command)
        assert ran.code == 2
        assert "pass --precision fp32,int8, or name the space digits-fp32+int8" in ran.err
    ran = hwnas("evaluate", "--supernet", "digits", "--precision", "int8", *few, "--out", "b.csv")
    assert ran.code == 2
    assert "pass --precision fp32,int8 --fix q=int8" in ran.err
    ran = hwnas("evaluate", "--supernet", "digits", "--precision", "fp16", *few, "--out", "b.csv")
    assert (ran.code, ran.err.splitlines()[-1].split("; ")[-1]) == (2, "drop --precision")


def test_fixing_all_precisions_is_a_search_in_one(hwnas: Hwnas) -> None:
    """The sizes of the files of one precision, but for the first convolution, which stays in fp32 either way."""
    fixed = (*SMALL, "--objectives", "macs,size", "--searcher", "exact")
    assert hwnas(*SEARCH, *fixed, "--fix", "q=int8", "--out", "mixed.csv").code == 0
    assert hwnas("search", "--space", "digits", "--precision", "int8", *fixed, "--out", "int8.csv").code == 0
    mixed, int8 = (pd.read_csv(f"{name}.csv") for name in ("mixed", "int8"))
    np.testing.assert_allclose(mixed["size_bytes"], int8["size_bytes"], rtol=0.02)
    assert json.loads(mixed["arch"][0])["ks"] == json.loads(int8["arch"][0])["ks"]


def test_what_cannot_be_is_refused_in_one_line(hwnas: Hwnas) -> None:
    save_table(true_ns())
    for options, words in (
        (("--precision", "fp32,int7"), "precision 'int7'"),
        (("--precision", "fp32,fp16"), "layers of one network may be fp32, int8, int4"),
        (
            ("--precision", "fp32,int8", "--device", f"latency_tables/{next(Path('latency_tables').iterdir()).name}"),
            "fill them: hwnas profile --device cpu --threads 1 --batch 1 --precision fp32,int8 --space digits",
        ),
        (("--precision", "fp32,int8", "--fix", "q=int4"), "choices of q in digits-fp32+int8 are fp32, int8"),
        (("--precision", "fp32,int8", "--budget", "size<=9kB"), "the smallest needs"),
    ):
        ran = hwnas("search", "--space", "digits", "--objectives", "macs,latency", *options)
        assert ran.code == 2, ran.err
        assert ran.err.splitlines()[-1].startswith("error: ")
        assert words in ran.err
    ran = hwnas("search", "--space", "nasbench201", "--precision", "fp32,int8")
    assert ran.code == 2
    assert "nasbench201: it has no layers" in ran.err
