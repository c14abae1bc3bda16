"""``hwnas predict``: metrics added, everything else kept as written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd

from hwnas.predictor import load_predictor
from hwnas.report import read_provenance, write_provenance
from hwnas.space import get_space, macs_cost
from tests.e2e.conftest import MS_PER_MAC, SPACE, Hwnas


def write_archs(path: Path, n: int = 6) -> np.ndarray:
    x = SPACE.restrict(r=[160, 192]).sample(n, np.random.default_rng(3))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "arch", "note"])
        for i, arch in enumerate(SPACE.decode_many(x)):
            writer.writerow([f"0{n - i}", json.dumps(arch), 'said "1.50", twice'])
    return x


def test_metrics_are_added_and_the_rest_is_kept(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    x = write_archs(Path("archs.csv"))
    common = ("--space", "ofa_mbv3_w1.0", "--device", table, "--predictor", predictor)
    ran = hwnas("predict", "archs.csv", *common, "--out", "p.csv")
    assert ran.code == 0, ran.err
    before, after = (pd.read_csv(name, dtype=str) for name in ("archs.csv", "p.csv"))
    assert list(after.columns) == [*before.columns, "top1", "top1_std", "latency_ms", "macs", "params", "memory_bytes"]
    pd.testing.assert_frame_equal(after[before.columns], before)
    macs = macs_cost(SPACE)(x)
    assert after["macs"].astype(int).tolist() == macs.tolist()
    np.testing.assert_allclose(after["latency_ms"].astype(float), macs * MS_PER_MAC, rtol=1e-5)
    np.testing.assert_allclose(after["top1"].astype(float), load_predictor(predictor, SPACE).predict(x), atol=1e-6)
    again = hwnas("predict", "p.csv", *common, "--out", "p.csv")
    assert "were in p.csv already" in again.err
    pd.testing.assert_frame_equal(pd.read_csv("p.csv", dtype=str), after)


def test_without_device_and_predictor_the_costs_are_told(hwnas: Hwnas) -> None:
    resnet = get_space("ofa_resnet50")
    x = resnet.sample(3, np.random.default_rng(0))
    pd.DataFrame({"arch": [json.dumps(a) for a in resnet.decode_many(x)]}).to_csv("archs.csv", index=False)
    ran = hwnas("predict", "archs.csv", "--space", "ofa_resnet50", "--out", "p.csv")
    assert ran.code == 0, ran.err
    assert list(pd.read_csv("p.csv").columns) == ["arch", "macs", "params", "memory_bytes"]


def test_archs_as_upstream_writes_them(hwnas: Hwnas, shared_data: Path, predictor: Path) -> None:
    source = pd.read_csv(shared_data / "ofa_mbv3_w1.0_imagenet" / "dynast_224.csv.gz", dtype=str).head(20)
    source.to_csv("archs.csv", index=False)
    ran = hwnas("predict", "archs.csv", "--space", "ofa_mbv3_w1.0", "--predictor", predictor, "--out", "p.csv")
    assert ran.code == 0, ran.err
    assert pd.read_csv("p.csv", dtype=str)["macs"].tolist() == source["macs_reported"].tolist()


def test_a_row_outside_of_what_is_known_is_named(hwnas: Hwnas, table: Path) -> None:
    (arch,) = SPACE.decode_many(SPACE.restrict(r=224).sample(1, np.random.default_rng(0)))
    pd.DataFrame({"arch": [json.dumps(arch)]}).to_csv("archs.csv", index=False)
    ran = hwnas("predict", "archs.csv", "--space", "ofa_mbv3_w1.0", "--device", table, "--out", "p.csv")
    rule = "space, predictor and table together cover 160, 192; remove the row, or name others"
    assert (ran.code, ran.err) == (2, f"error: file archs.csv, row 1, r = 224: {rule}\n")


def test_the_space_is_taken_from_the_json_beside_the_subnets(hwnas: Hwnas) -> None:
    """Also where that of another supernet would read them too."""
    x, common = write_archs(Path("archs.csv")), ("predict", "archs.csv", "--out", "p.csv")
    ran = hwnas(*common)
    assert (ran.code, ran.err) == (2, "error: file archs.csv: no JSON beside it names its space; pass --space NAME\n")
    facts = {"name": SPACE.name, "fingerprint": SPACE.fingerprint}
    write_provenance({"space": facts}, "archs.json")
    ran = hwnas(*common)
    assert ran.code == 0, ran.err
    assert pd.read_csv("p.csv")["macs"].tolist() == macs_cost(SPACE)(x).tolist()
    ran = hwnas(*common, "--space", "ofa_mbv3_w1.2")
    rule = "the JSON beside archs.csv says that its subnets are of ofa_mbv3_w1.0; drop --space"
    assert (ran.code, ran.err) == (2, f"error: --space ofa_mbv3_w1.2: {rule}\n")
    write_provenance({"space": {**facts, "name": "renamed.onnx", "reference": "renamed.onnx"}}, "archs.json")
    for json_beside in (Path("archs.json").read_text(), '{"of": "another program"}'):
        Path("archs.json").write_text(json_beside)
        ran = hwnas(*common, "--space", "ofa_mbv3_w1.2")
        assert ran.code == 0, ran.err


def test_predictions_are_marked_so_that_no_predictor_learns_from_them(
    hwnas: Hwnas, table: Path, predictor: Path
) -> None:
    write_archs(Path("archs.csv"), 12)
    told = ("--predictor", predictor, "--device", table, "--out", "p.csv")
    ran = hwnas("predict", "archs.csv", "--space", "ofa_mbv3_w1.0", *told)
    assert ran.code == 0, ran.err
    facts = read_provenance("p.csv")
    assert facts["command"].startswith("hwnas predict archs.csv")
    assert (facts["predictor"]["name"], facts["space"]["name"]) == (predictor.name, SPACE.name)
    for metric, by in (("top1", predictor.name), ("latency", "latency table")):
        ran = hwnas("fit", "p.csv", "--space", "ofa_mbv3_w1.0", "--model", "additive", "--metric", metric)
        assert (ran.code, f"was predicted by {by}" in ran.err) == (2, True), ran.err
    again = hwnas("predict", "p.csv", "--out", "p.csv")  # the JSON names the space
    assert again.code == 0, again.err
    assert read_provenance("p.csv")["device"] == facts["device"], "its latencies stay, and so does what they are"


def test_measurements_are_no_longer_called_so_once_predictions_replace_them(hwnas: Hwnas, predictor: Path) -> None:
    write_archs(Path("archs.csv"))
    about = {"name": SPACE.name, "fingerprint": SPACE.fingerprint}
    measured = {"space": about, "objectives": ["top1", "macs"], "evaluator": {"images": 500}, "evaluations": 40}
    write_provenance(measured, "archs.json")
    ran = hwnas("predict", "archs.csv", "--predictor", predictor, "--out", "p.csv")
    assert ran.code == 0, ran.err
    facts = read_provenance("p.csv")
    assert facts["objectives"] == ["top1", "macs"]
    assert not {"evaluator", "evaluations"} & facts.keys(), "it is no search, and nothing in it is measured"


def test_the_json_of_predictions_replaces_no_space(hwnas: Hwnas) -> None:
    Path("p.json").write_text("{}")
    write_archs(Path("archs.csv"))
    ran = hwnas("predict", "archs.csv", "--space", "p.json", "--out", "p.csv")
    assert (ran.code, "--space reads p.json, which would be lost" in ran.err) == (2, True), ran.err
