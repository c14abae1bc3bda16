"""``hwnas space shrink``: what is left of a space goes through the commands as any other reference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from hwnas.graph import mixed_space, size_cost
from hwnas.search import exact_front, hypervolume
from hwnas.space import AdditiveCost, SearchSpace, get_space, macs_cost
from hwnas.study._space import open_space
from hwnas.supernet import load_supernet, random_supernet
from tests.e2e.conftest import Hwnas

MIXED = mixed_space(get_space("digits"), "fp32+int8")
SHRINK = ("space", "shrink", "--space", "digits", "--precision", "fp32,int8", "--objectives", "macs:max,size")
FEW = ("--fix", "r=8,16", "--fix", "ks=3", "--fix", "e=2,6", "--fix", "d=1,2")


def volume(space: SearchSpace, corner: tuple[float, float]) -> float:
    """Of the exact front of most MACs in least bytes."""
    macs, size = macs_cost(MIXED), size_cost(MIXED)
    more = AdditiveCost(MIXED, [type(f)(f.genes, -f.table) for f in macs.factors])
    x = exact_front(space, [more, size])
    return hypervolume(np.stack([macs(x), size(x)], axis=1), corner, [True, False])


def test_the_part_keeps_what_it_says(hwnas: Hwnas) -> None:
    ran = hwnas(*SHRINK, *FEW, "--keep", 97, "--out", "small.json")
    assert ran.code == 0, ran.err
    told = json.loads(Path("small.json").read_text())
    assert ran.out.splitlines()[-1] == "next: hwnas search --space small.json --objectives macs:max,size"
    assert 97 <= told["hypervolume_kept_pct"] <= 100
    assert f"{told['hypervolume_kept_pct']:.2f} % or more of the hypervolume of the exact front" in ran.out
    whole = MIXED.restrict(r=[8, 16], ks=3, e=[2, 6], d=[1, 2])
    part = open_space("small.json")
    assert (part.size(), whole.size()) == (told["subnets"], told["subnets_before"])
    assert part.size() < whole.size()
    assert part.fingerprint == MIXED.fingerprint
    x = whole.sample(500, np.random.default_rng(0))
    corner = (float(macs_cost(MIXED)(x).min()), float(size_cost(MIXED)(x).max()))
    assert volume(part, corner) >= 0.97 * volume(whole, corner)


def test_commands_take_it(hwnas: Hwnas) -> None:
    assert hwnas(*SHRINK, *FEW, "--out", "small.json").code == 0
    part = open_space("small.json")
    assert f"{part.size():,} distinct" in hwnas("spaces", "--space", "small.json").out
    found = hwnas("search", "--space", "small.json", "--objectives", "macs:max,size", "--searcher", "exact")
    assert found.code == 0, found.err
    evaluated = hwnas("evaluate", "--supernet", "small.json", "--sample", 2, "--out", "accuracy.csv")
    assert evaluated.code == 0, evaluated.err
    for file in ("pareto.csv", "accuracy.csv"):
        archs = [json.loads(cell) for cell in pd.read_csv(file)["arch"]]
        assert part.contains(MIXED.encode_many(archs)).all()
    assert hwnas("report", "pareto.csv").code == 0
    few = ("--images", 40, "--calibrate", 40, "--agreement", 0)
    exported = hwnas("export", "pareto.csv", "--row", 1, "--supernet", "small.json", *few, "--out", "subnet.onnx")
    assert exported.code == 0, exported.err
    assert "random weights" not in exported.err
    told = {entry.key: entry.value for entry in onnx.load("subnet.onnx").metadata_props}
    assert told["supernet"] == "digits"
    assert told["calibration"].endswith(" images of digits")
    assert re.fullmatch(r"measured on \d+ images of digits", told["top1_source"])
    again = hwnas("space", "shrink", "pareto.csv", "--keep=90", "--out=smaller.json")
    assert again.code == 0, again.err
    assert json.loads(Path("smaller.json").read_text())["of"] == "digits"
    as_before = "--objectives macs:max,size --searcher exact"
    assert again.out.splitlines()[-1] == f"next: hwnas search --space smaller.json {as_before}"
    assert open_space("smaller.json").size() <= part.size()


def test_its_supernets_have_all_weights_and_some_subnets(hwnas: Hwnas) -> None:
    assert hwnas(*SHRINK, *FEW, "--out", "small.json").code == 0
    part, whole = load_supernet("small.json"), load_supernet("digits")
    assert part.digest == whole.digest
    assert part.space.size() < whole.space.size()
    assert part.reference == "digits"
    x = part.space.sample(1, np.random.default_rng(0))[0]
    for name, tensor in part.extract(x).weights().items():
        assert (tensor == whole.extract(x).weights()[name]).all()
    other = random_supernet("small.json").with_head(["a", "b", "c"])
    assert other.space.size() == part.space.size()
    assert other.extract(other.space.sample(1, np.random.default_rng(0))[0]).arch


def test_bad_input_is_one_line(hwnas: Hwnas) -> None:
    assert hwnas(*SHRINK, *FEW, "--out", "small.json").code == 0
    told = json.loads(Path("small.json").read_text())
    Path("other.json").write_text(json.dumps({**told, "of": "ofa_resnet50"}))
    Path("odd.json").write_text(json.dumps({**told, "choices": {"ks[0]": [4]}}))
    Path("schema.json").write_text(json.dumps({**told, "schema": 9}))
    Path("part.json").write_text(json.dumps({**told, "of": "small.json"}))
    Path("list.json").write_text("[]")
    for words, complaint in (
        (("spaces", "--space", "missing.json"), "there is no such file"),
        (("spaces", "--space", "list.json"), "no shrunk space"),
        (("search", "--space", "schema.json"), "schema 1"),
        (("spaces", "--space", "other.json"), "shrink it again"),
        (("spaces", "--space", "odd.json"), "ks[0] = 4"),
        (("profile", "--space", "small.json", "--precision", "int8"), "--fix q=int8"),
        (("profile", "--space", "small.json", "--precision", "int4"), "they choose from fp32, int8"),
        (("profile", "--space", "small.json", "--fix", "ks=7"), "3, 5"),
        (("evaluate", "--supernet", "part.json", "--sample", 1, "--out", "x.csv"), "a part itself"),
        ((*SHRINK, "--out", "x.csv"), "x.json"),
        ((*SHRINK, "--keep", 30), "--keep"),
        (("space", "shrink", "missing.csv"), "missing.csv"),
        (("space", "shrink", "missing.csv", "--device", "cpu"), "--device"),
        (("space", "shrnk"), "shrink"),
        (("search", "--space", "small.json", "--out", "small.csv"), "small-2.csv"),
    ):
        ran = hwnas(*words)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran.err
        assert complaint in ran.err


@pytest.mark.parametrize("form", [("--help",), ()])
def test_the_group_tells_its_commands(hwnas: Hwnas, form: tuple[str, ...]) -> None:
    ran = hwnas("space", *form)
    assert ran.code == 0
    assert "shrink" in ran.out
