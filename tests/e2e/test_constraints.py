"""What users constrain: several devices, throughput, columns of their own, spaces from files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.latency import LatencyTable
from hwnas.report import non_dominated
from hwnas.search import exact_front
from hwnas.space import get_space, macs_cost
from hwnas.space.families.block_library import block_library
from tests.e2e.conftest import MS_PER_MAC, RESOLUTIONS, Hwnas
from tests.space.toy import enumerate_rows

SPACE = get_space("ofa_mbv3_w1.0")
QUICK = ("--searcher", "random", "--population", 40, "--generations", 6)
LIBRARY = "layer,choice,score,latency_ms,kv_mb\n" + "".join(
    f"{layer},{choice},{-loss * (layer + 1)},{5 - 2 * loss},{kv}\n"
    for layer in range(4)
    for choice, loss, kv in (("full", 0.0, 3), ("half", 0.4, 1), ("linear", 0.9, 2), ("none", 2.5, 0))
)


@pytest.fixture
def phone(table: Path, folder: Path) -> None:
    """A device of the same layers, which finds every other one three times as slow."""
    made = folder / "phone"
    shutil.copytree(table, made)
    frame = pd.read_csv(made / "table.csv", keep_default_na=False)
    slower = np.where(np.arange(len(frame)) % 2, 3.0, 1.0)
    for column in ("median_ms", "p10_ms", "p90_ms"):
        frame[column] *= slower
    frame.to_csv(made / "table.csv", index=False)


def test_a_search_by_an_int8_table_says_whose_accuracy_it_shows(
    hwnas: Hwnas, table: Path, folder: Path, predictor: Path
) -> None:
    options = ("--predictor", predictor, "--latency", "8ms", *QUICK)
    assert "fp32 weights" not in hwnas("search", "--device", table, *options).err
    real = LatencyTable.load(table)
    LatencyTable.of(real.device, real.rows.values(), precision="int8").save(folder / "integer")
    ran = hwnas("search", "--device", "integer", *options)
    assert ran.code == 0, ran.err
    assert "latency is of int8, top1 of fp32 weights" in ran.err


@pytest.mark.usefixtures("phone")
def test_one_front_that_holds_on_several_devices(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    options = ("--predictor", predictor, *QUICK)
    ran = hwnas("search", "--latency", f"{table}=8ms", "--latency", "phone=15ms", *options)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    named = ["row", "top1", "top1_std", "latency_ms", "latency_ms@phone", "macs", "params", "memory_bytes", "arch"]
    assert list(frame.columns) == named
    assert (frame["latency_ms"] <= 8).all()
    assert (frame["latency_ms@phone"] <= 15).all()
    assert non_dominated(frame[["top1", "latency_ms", "latency_ms@phone"]].to_numpy(), [True, False, False]).all()
    np.testing.assert_allclose(frame["latency_ms"], frame["macs"] * MS_PER_MAC, rtol=1e-5)
    assert "phone" in ran.out
    facts = json.loads(Path("pareto.json").read_text())
    assert facts["objectives"] == ["top1", "latency_ms", "latency_ms@phone"]
    assert facts["budgets"] == {"latency_ms": 8.0, "latency_ms@phone": 15.0}
    assert facts["devices"]["phone"]["path"] == "phone"
    # The other commands read it as any front.
    assert hwnas("report", "pareto.csv", "--html").code == 0
    ran = hwnas("search", "--device", table, "--latency", "8ms", "--out", "one.csv", *options)
    assert ran.code == 0, ran.err
    assert hwnas("compare", "pareto.csv", "one.csv", "--objectives", "top1,latency", "--anyway").code == 0
    assert hwnas("compare", "pareto.csv", "pareto.csv").code == 2


@pytest.mark.usefixtures("phone")
def test_the_main_device_is_the_one_of_the_option(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    options = ("--predictor", predictor, "--objectives", "top1,latency@phone", *QUICK)
    ran = hwnas("search", "--device", table, "--latency", "phone=15ms", *options)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    np.testing.assert_allclose(frame["latency_ms"], frame["macs"] * MS_PER_MAC, rtol=1e-5)
    assert non_dominated(frame[["top1", "latency_ms@phone"]].to_numpy(), [True, False]).all()
    ran = hwnas("search", "--device", table, "--latency", "8ms", "--latency", f"{table}=9ms", *options)
    assert ran.code == 2
    assert "two budgets" in ran.err
    ran = hwnas("search", "--device", table, "--latency", "8ms", "--latency", "phone=1us", *options)
    assert ran.code == 2
    assert "latency_ms@phone <= 0.001 ms: no subnet" in ran.err


def test_so_many_images_per_second_are_so_many_milliseconds(hwnas: Hwnas, table: Path, predictor: Path) -> None:
    common = ("--device", table, "--predictor", predictor, *QUICK)
    ran = hwnas("search", "--throughput", "200/s", "--objectives", "top1,throughput", *common)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert (frame["images_per_s"] >= 200 * (1 - 1e-6)).all()
    np.testing.assert_allclose(frame["images_per_s"], 1e3 / frame["latency_ms"], rtol=1e-4)
    assert json.loads(Path("pareto.json").read_text())["budgets"] == {"latency_ms": 5.0}
    assert hwnas("search", "--latency", "5ms", "--out", "same.csv", *common).code == 0
    assert pd.read_csv("same.csv")["arch"].tolist() == frame["arch"].tolist()


def test_a_users_own_cost_of_layers(hwnas: Hwnas, additive: Path) -> None:
    layers = SPACE.restrict(r=list(RESOLUTIONS)).layers().values()
    pd.DataFrame({"key": [v.key for v in layers], "energy_mj": [v.macs / 1e8 for v in layers]}).to_csv(
        "energy.csv", index=False
    )
    few = ("--fix", "ks=3", "--fix", "e=3", "--predictor", additive, "--searcher", "exact")
    ran = hwnas("search", "--costs", "energy.csv", "--budget", "energy_mj=1", "--objectives", "top1,macs", *few)
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert (frame["energy_mj"] <= 1).all()
    x = SPACE.encode_many([json.loads(cell) for cell in frame["arch"]])
    np.testing.assert_allclose(frame["energy_mj"], macs_cost(SPACE)(x) / 1e8, rtol=1e-5)
    assert set(x[:, -1]) <= {SPACE.genes[-1].choices.index(r) for r in RESOLUTIONS}
    ran = hwnas("search", "--costs", "energy.csv", "--budget", "energy_mj=0.01", "--objectives", "top1,macs", *few)
    assert ran.code == 2
    assert "energy_mj <= 0.01: no subnet" in ran.err


def test_what_files_tell_needs_no_device(hwnas: Hwnas, folder: Path) -> None:
    layers = get_space("digits").layers()
    Path("own.csv").write_text(
        "key,latency_ms,energy_mj@phone\n"
        + "".join(f"{key},{1 + layer.macs / 1e4},{layer.params}\n" for key, layer in layers.items())
    )
    search = ("search", "--space", "digits", "--costs", "own.csv", "--objectives", "macs:max,energy_mj@phone:min")
    ran = hwnas(*search, "--latency", "20ms", "--generations", 4)
    assert ran.code == 0, ran.err
    assert {path.name for path in folder.iterdir()} == {"own.csv", "pareto.csv", "pareto.json", "pareto.png"}
    frame, space = pd.read_csv("pareto.csv"), get_space("digits")
    assert list(frame.columns[:2]) == ["row", "latency_ms"]
    assert not {"latency_low_ms", "latency_high_ms"} & set(frame)
    networks = [space.network(space.encode(json.loads(arch))) for arch in frame["arch"]]
    own = [sum(1 + layer.macs / 1e4 for _, layer in network) for network in networks]
    np.testing.assert_allclose(frame["latency_ms"], own, atol=1e-5)
    assert frame["latency_ms"].max() <= 20
    ran = hwnas(*search, "--device", "cpu")
    assert (ran.code, "latency_ms is a column of a file here; drop --device" in ran.err) == (2, True)


def test_a_block_library_is_a_space(hwnas: Hwnas) -> None:
    Path("llm.csv").write_text(LIBRARY)
    ran = hwnas("search", "--library", "llm.csv", "--searcher", "exact", "--latency", "16ms", "--budget", "kv_mb=7")
    assert ran.code == 0, ran.err
    frame = pd.read_csv("pareto.csv")
    assert list(frame.columns) == ["row", "score", "latency_ms", "kv_mb", "arch"]
    assert frame["score"].is_monotonic_decreasing
    table = pd.read_csv("llm.csv")
    columns = {
        "loss": -table["score"].to_numpy(),
        "ms": table["latency_ms"].to_numpy(),
        "kv": table["kv_mb"].to_numpy(),
    }
    space, costs = block_library(table["layer"].tolist(), table["choice"].tolist(), columns)
    best = exact_front(space, [costs["loss"], costs["ms"]], [(costs["ms"], 16.0), (costs["kv"], 7.0)])
    assert sorted(frame["latency_ms"]) == pytest.approx(sorted(costs["ms"](best)))
    assert "kv mb" in ran.out
    ran = hwnas("report", "pareto.csv", "--html")
    assert (ran.code, ran.err) == (0, "")
    ran = hwnas("measure", "pareto.csv")
    told = "file pareto.csv: its space is the table llm.csv, without networks; pass a front of a supernet"
    assert (ran.code, ran.err) == (2, f"error: {told}\n")
    ran = hwnas("export", "pareto.csv", "--row", 1)
    told = "a front of llm: its space is a table, without networks; export a front of a supernet"
    assert (ran.code, ran.err) == (2, f"error: {told}, or build the network of its arch yourself\n")

    ran = hwnas("search", "--library", "llm.csv", "--latency", "16ms", "--objectives", "score", "--out", "one.csv")
    assert ran.code == 0, ran.err
    assert hwnas("search", "--library", "llm.csv", "--latency", "16ms", "--top", 1, "--out", "top.csv").code == 0
    assert Path("top.csv").read_text() == Path("one.csv").read_text()


def test_a_table_of_all_subnets_is_looked_up(hwnas: Hwnas) -> None:
    space = get_space("nasbench201")
    x = enumerate_rows(space)
    good = 90 - (x - 3.0) ** 2 @ np.arange(1, 7) / 4
    frame = pd.DataFrame({"ops": ["".join(map(str, row)) for row in x], "acc": good, "phone": 1.0 + x.sum(axis=1)})
    frame.to_csv("cells.csv", index=False)
    options = ("--space", "nasbench201", "--table", "cells.csv", "--objectives", "top1=acc,latency=phone")
    ran = hwnas("search", *options, "--searcher", "exact", "--latency", "12ms")
    assert ran.code == 0, ran.err
    front = pd.read_csv("pareto.csv")
    assert list(front.columns) == ["row", "top1", "latency_ms", "arch"]
    ran = hwnas("export", "pareto.csv", "--row", 1)
    assert (ran.code, ran.err.partition(";")[0]) == (
        2,
        "error: a front of nasbench201: its space is a table, without networks",
    )
    within = frame[frame["phone"] <= 12]
    assert front["top1"][0] == within["acc"].max()
    best = within.groupby("phone")["acc"].max().cummax().drop_duplicates()
    assert sorted(front["top1"]) == sorted(best)
    rates = (*options[:-1], "top1=acc,throughput=phone", "--searcher", "exact", "--out", "rates.csv")
    assert hwnas("search", *rates).code == 0
    assert pd.read_csv("rates.csv")["images_per_s"].max() == frame["phone"].max()
    ran = hwnas("search", *options, "--population", 50, "--generations", 6, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["provenance"]["files"][0]["name"] == "cells.csv"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--space", "nasbench201"), "pass --table FILE.csv"),
        (("--library", "llm.csv", "--space", "digits"), "drop --space"),
        (("--library", "llm.csv", "--table", "llm.csv"), "drop --table"),
        (("--library", "llm.csv", "--precision", "int8"), "drop --precision"),
        (("--library", "llm.csv", "--device", "cpu"), "drop --device"),
        (("--space", "nasbench201", "--table", "cells.csv", "--threads", "2"), "drop --threads"),
        (("--library", "llm.csv", "--budget", "kv=1"), "did you mean 'kv_mb'"),
        (("--library", "llm.csv", "--budget", "kv_mb=-1"), "no subnet of llm"),
        (("--library", "llm.csv", "--latency", "phone=1ms"), "no devices"),
        (("--library", "llm.csv", "--throughput", "1/s"), "no devices"),
        (("--library", "llm.csv", "--objectives", "score,macs"), "no such objective"),
        (("--library", "missing.csv"), "cannot be read"),
        (("--costs", "llm.csv"), "`key`"),
        (
            ("--objectives", "macs,params", "--device", "phone"),
            "device phone: no objective or budget needs a device",
        ),
        (("--latency", "phone=20ms", "--latency", "x/phone=30ms"), "phone"),
        (("--space", "digits", "--objectives", "macs:max,latency,latency@phone"), "device 'phone': there is no such"),
        (("--throughput", "20"), "write 20/s"),
    ],
)
def test_what_does_not_fit_gets_one_line(hwnas: Hwnas, options: tuple[str, ...], complaint: str) -> None:
    Path("llm.csv").write_text(LIBRARY)
    Path("cells.csv").write_text("ops,acc\n" + "".join(f"{n:06d},1\n" for n in range(2)))
    ran = hwnas("search", *options)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not Path("pareto.csv").exists()
