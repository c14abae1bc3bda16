"""Block libraries of a language model from end to end: scored, searched, verified, checked; killed, and of another model."""

from __future__ import annotations

import itertools
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from hwnas.latency import Device, LatencyTable, Row
from hwnas.search import non_dominated
from hwnas.study import Front
from hwnas.study._decoding import Decoding
from hwnas.study._divergence import divergences
from hwnas.study._library_file import read_library
from hwnas.study._model_on_text import ModelOnText
from hwnas.study._sorted_model import sorted_model
from hwnas.study._taught_model import WINDOWS
from hwnas.supernet import lessons, load_supernet, parent_row, taught
from hwnas.supernet.hf.decoder._space import decoder_space
from hwnas.task import Parent
from tests.e2e.conftest import Hwnas
from tests.supernet.hf.decoder.conftest import WORDS, save
from tests.supernet.hf.decoder.test_deploy import steps

OPTIONS = ("--length", 16, "--windows", 4, "--batch-size", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and a text."""
    folder = tmp_path_factory.mktemp("model")
    save(folder / "m", "llama")
    (folder / "t.txt").write_text(" ".join(np.random.default_rng(0).choice(WORDS, 300)))
    return folder


@pytest.fixture(autouse=True)
def here(made: Path, folder: Path) -> Path:
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return folder


def test_from_a_folder_to_a_verified_front(hwnas: Hwnas) -> None:
    ran = hwnas("library", "build", "--model", "hf:m", "--data", "t.txt", *OPTIONS, "--out", "lib.csv")
    assert ran.code == 0, ran.err
    library = pd.read_csv("lib.csv")
    net = load_supernet("hf:m")
    row, space = parent_row(net.space), net.space
    own = library[library["layer"].isin(["a[1]"])].set_index("choice")
    assert own["kl"].astype(float)["2"] == 0 < own["kl"].astype(float)["1"]
    whole = library.groupby("layer")["params"].max().sum()
    assert whole == sum(layer.params for _, layer in net.network(row))
    assert own["kv_bytes_per_token"].astype(float)["2"] == 2 * 2 * 8 * 4

    wanted = ("kl", "params", "kv_bytes_per_token")
    ran = hwnas("search", "--library", "lib.csv", "--objectives", ",".join(wanted), "--memory", "60kB")
    assert ran.code == 0, ran.err
    found = Front.load("pareto.csv")
    assert found.provenance.searcher == {"name": "exact", "seed": 0}
    read = read_library(Path("lib.csv"))
    x = np.array([*itertools.product(*read.space.domain)], dtype=np.int16)
    x = x[read.costs["memory_bytes"](x) <= 60_000]
    values = np.stack([read.costs[name](x) for name in wanted], axis=1)
    assert len(found.frame) == non_dominated(values, distinct=True).sum() > 9  # whole, by brute force

    ran = hwnas("search", "--library", "lib.csv", "--params", "12k", "--budget", "kv_cache<=300B", "--verify")
    assert ran.code == 0, ran.err
    assert "round 1: kl of" in ran.err
    front = pd.read_csv("pareto.csv")
    assert (front["params"] <= 12_000).all()
    assert (front["kv_bytes_per_token"] <= 300).all()
    assert front["kl_measured"].is_monotonic_increasing
    assert list(front)[1:3] == ["kl", "kl_measured"]
    found = Front.load("pareto.csv")
    assert found.provenance.space.reference == "hf:m"
    assert found.provenance.files[0]["lengths"] == {"prompt": 64, "context": 63}  # what `measure` times
    assert found.provenance.verified is not None
    assert found.space is not None
    assert found.space.fingerprint == space.fingerprint
    assert hwnas("export", "pareto.csv", "--row", 2, "--out", "deploy").code == 0
    told = {entry.key: entry.value for entry in onnx.load("deploy/model.onnx").metadata_props}
    assert float(told["perplexity"]) == pytest.approx(front["perplexity"][1], abs=1e-3)
    assert told["perplexity_source"] == "measured on 4 windows of t.txt (pareto.csv, row 2)"
    x = space.encode(found.arch(2))
    again = divergences(ModelOnText("hf:m", Path("t.txt"), 4, 16, 2), [x], Path("again.jsonl"))
    assert again[0].kl == pytest.approx(front["kl_measured"][1], rel=1e-6)

    only = [word for fix in ("f=32", "a[0]=2", "a[1]=2", "a[2]=1") for word in ("--fix", fix)]
    ran = hwnas("search", "--library", "lib.csv", *only, "--verify", "--out", "one.csv")
    assert ran.code == 0, ran.err
    assert "round 1: kl of 1 assemblies is" in ran.err
    verified = Front.load("one.csv").provenance.verified
    assert verified is not None
    assert verified["rounds"][0]["spearman"] is None

    ran = hwnas("library", "check", "lib.csv", "--subnets", 10)
    assert ran.code == 0, ran.err
    assert "10 assembled models: rank correlation" in ran.out
    assert len(pd.read_csv("check.csv")) == 10


def test_latencies_are_of_the_lengths_that_are_stated_and_scores_of_none(hwnas: Hwnas) -> None:
    build = ("library", "build", "--model", "hf:m", "--data", "t.txt", *OPTIONS)
    assert hwnas(*build, "--prompt", 1, "--context", 0, "--out", "lib.csv").code == 0
    before = pd.read_csv("lib.csv")
    assert (before["memory_bytes"] == before["size_bytes"]).all()  # nothing is in the cache

    stated = decoder_space("llama", load_supernet("hf:m").decoder, (1, 30), (0, 21))  # type: ignore[attr-defined]
    runs = {"prefill_ms": {"l": 30, "p": 0}, "latency_ms": {"l": 1, "p": 21}}
    layers = [layer for fed in runs.values() for layer in stated.restrict(**fed).layers().values()]
    rows = [Row(layer.key, ms, ms, ms, 1, layer.macs) for layer in layers for ms in (1 + layer.macs / 1e3,)]
    LatencyTable.of(Device("toy", ""), rows).save("latency_tables/toy")
    timed = (*build, "--device", "toy", "--context", 21, "--out", "lib.csv")
    ran = hwnas(*timed, "--prompt", 31)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "no row for decoderembedding-l31-p0-" in ran.err
    assert "; pass --device cpu, which profiles this machine" in ran.err
    ran = hwnas(*timed, "--prompt", 30)
    assert ran.code == 0, ran.err
    assert "holds 36 of 36 comparisons" in ran.err
    library = pd.read_csv("lib.csv")
    assert library["kl"].equals(before["kl"])
    assert np.allclose(library["memory_bytes"], library["size_bytes"] + 21 * library["kv_bytes_per_token"])
    for column, fed in runs.items():
        network = stated.network(stated.encode({"a": [2] * 3, "f": [32] * 3, **fed}))
        expected = sum(1 + layer.macs / 1e3 for _, layer in network)
        assert library.groupby("layer")[column].max().sum() == pytest.approx(expected)

    ran = hwnas("search", "--library", "lib.csv")
    assert ran.code == 0, ran.err
    assert "costs of the library are for reading a prompt of 30 tokens, and for writing one after 21" in ran.err
    found = Front.load("pareto.csv")
    assert found.space is not None
    assert Decoding.of(found.space, found.provenance) == Decoding(30, 21, found.provenance.files[0]["tables"])
    assert found.arch(1)["l"] == 64  # of the model: the shortest choice that the prompt fits into
    assert hwnas("export", "pareto.csv", "--row", 2, "--out", "deploy").code == 0
    assert hwnas("library", "check", "lib.csv", "--subnets", 8).code == 0


def test_workers_and_a_killed_run_give_the_same_library(hwnas: Hwnas) -> None:
    build = ("library", "build", "--model", "hf:m", "--data", "t.txt", *OPTIONS)
    assert hwnas(*build, "--out", "one.csv").code == 0
    lines = Path("one.csv.journal.jsonl").read_text().splitlines(keepends=True)
    Path("two.csv.journal.jsonl").write_text("".join(lines[:9]) + lines[9][:20])  # killed while it wrote
    ran = hwnas(*build, "--workers", 2, "--out", "two.csv")
    assert ran.code == 0, ran.err
    assert f"holds 8 of {len(lines) - 1} comparisons" in ran.err
    assert Path("two.csv").read_bytes() == Path("one.csv").read_bytes()
    assert Path("two.csv.journal.jsonl").read_bytes() == Path("one.csv.journal.jsonl").read_bytes()


def test_blocks_and_their_precisions_are_chosen_together_and_write_as_they_were_scored(hwnas: Hwnas) -> None:
    save(Path("wide"), "llama", hidden_size=32, num_attention_heads=4)
    build = ("library", "build", "--model", "hf:wide", "--data", "t.txt", *OPTIONS, "--out", "lib.csv")
    for lacking in ("int8,int4", "fp16"):  # fp16 cannot be mixed with fp32
        ran = hwnas(*build, "--precision", lacking)
        assert (ran.code, ran.err.count("\n"), "write --precision fp32,int8,int4" in ran.err) == (2, 1, True)
    ran = hwnas(*build, "--precision", "fp32,int8,int4")
    assert ran.code == 0, ran.err
    library = pd.read_csv("lib.csv", keep_default_na=False)
    assert (library["layer"] == "f[1]").sum() == 1 + 4 * 3
    bytes_of = library[(library["layer"] == "f[1]") & (library["choice"] == "32")].set_index("precision")["size_bytes"]
    assert bytes_of.to_dict() == {"fp32": 4 * (3 * 32 * 32 + 32), "int8": 3456 + 128, "int4": 1920 + 128}

    assert hwnas("search", "--library", "lib.csv", "--budget", "size<=20kB", "--out", "front.csv").code == 0
    front = Front.load("front.csv")
    assert len({json.dumps(front.arch(row)["q"]) for row in front.frame["row"]}) > 3
    row = next(i for i in front.frame["row"] if {*front.arch(i)["q"]} == {"fp32", "int8", "int4"})
    ran = hwnas("export", "front.csv", "--row", row, "--out", "deploy/")
    assert ran.code == 0, ran.err
    assert "latency checks only" not in ran.err  # nothing of it needs a text
    assert Path("deploy/model.onnx").stat().st_size < 20_000 + 45_000  # of nodes and names
    net = load_supernet("hf:wide").in_precision("fp32+int8+int4")
    own, texts = net.space.encode(front.arch(row)), torch.arange(3, 12).reshape(1, -1)
    session = ort.InferenceSession("deploy/model.onnx", providers=["CPUExecutionProvider"])
    written = steps(session, texts, first=4)
    with torch.no_grad():
        told = net.forward(own, {"input_ids": texts}).numpy()
    assert (written.argmax(-1) == told.argmax(-1)).all()
    assert np.median(np.abs(written - told)) < 1e-5 * np.abs(told).max()

    Path("text").mkdir()
    for split in ("train", "validation"):
        shutil.copy("t.txt", f"text/{split}.txt")
    learns = ("--front", "front.csv", "--row", row, "--steps", 2, "--batch-size", 4, "--out", "taught.safetensors")
    ran = hwnas("train", "--supernet", "hf:wide", "--data", "text", *learns)
    assert ran.code == 0, ran.err
    following = shlex.split(ran.err.partition("next: hwnas ")[2])
    assert following[:2] == ["export", "front.csv"]
    ran = hwnas(*following, "--out", "again/")
    assert ran.code == 0, ran.err
    assert "int4, " in ran.err  # in the precisions that were chosen


def test_a_model_is_sorted_by_the_text_and_its_library_is_of_the_file(hwnas: Hwnas) -> None:
    build = (
        "library",
        "build",
        "--model",
        "hf:m",
        "--data",
        "t.txt",
        *OPTIONS,
        "--sort",
        "own.safetensors",
        "--out",
        "lib.csv",
    )
    for _ in range(2):  # the second time the file and the scores are there
        ran = hwnas(*build)
        assert ran.code == 0, ran.err
    assert "holds 36 of 36 comparisons" in ran.err
    mixed = ModelOnText("hf:m", Path("t.txt"), 4, 16, 2, precision="fp32+int4")  # which changes nothing about it
    assert sorted_model(mixed, Path("own.safetensors")).model == "own.safetensors"
    assert hwnas("search", "--library", "lib.csv").code == 0
    found = Front.load("pareto.csv")
    assert found.provenance.space.reference == "own.safetensors"
    assert found.space is not None
    Path("t.txt").write_text("the film was good " * 99)
    ran = hwnas(*build)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "was sorted on something else" in ran.err


def test_alternatives_learn_before_they_are_scored(hwnas: Hwnas) -> None:
    build = ("library", "build", "--model", "hf:m", "--data", "t.txt", *OPTIONS, "--distil", 8, "--out", "lib.csv")
    ran = hwnas(*build)
    assert ran.code == 0, ran.err
    assert "wrote lib.safetensors: 12 alternatives after 8 steps each" in ran.err
    whole, journal = Path("lib.safetensors").read_bytes(), Path("lib.safetensors.jsonl").read_text()
    assert hwnas("search", "--library", "lib.csv").code == 0
    assert Front.load("pareto.csv").provenance.space.reference == "lib.safetensors"

    Path("lib.safetensors").unlink()  # killed after seven blocks, while it wrote the eighth
    lines = journal.splitlines(keepends=True)
    Path("lib.safetensors.jsonl").write_text("".join(lines[:8]) + lines[8][:9])
    parts = Path("lib.safetensors.parts")
    parts.mkdir()
    net = load_supernet("hf:m")
    given = ModelOnText("hf:m", Path("t.txt"), 4, 16, 2)
    for lesson in lessons(net, [*given.text.unjudged(16, WINDOWS)]):
        for choice in lesson.alternatives:
            if f'"slot": "{lesson.slot}", "choice": {choice},' in "".join(lines[:8]):
                save_file(taught(net, lesson, choice, 8)[0], parts / f"{lesson.slot}-{choice}.safetensors")
    ran = hwnas(*build)
    assert ran.code == 0, ran.err
    assert (Path("lib.safetensors").read_bytes(), Path("lib.safetensors.jsonl").read_text()) == (whole, journal)
    assert not parts.exists()
    Path("lib.safetensors").unlink()  # lost, and not the journal
    ran = hwnas(*build)
    assert ran.code == 0, ran.err
    assert Path("lib.safetensors").read_bytes() == whole
    again = (*build[:-4], "--distil", 9, *build[-2:])
    ran = hwnas(*again)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "was made of something else; write another --out, or remove it and lib.safetensors.jsonl" in ran.err
    ran = hwnas(*again[:3], "lib.safetensors", *again[4:])
    assert (ran.code, "--distil writes lib.safetensors, which is the model itself" in ran.err) == (2, True)
    ran = hwnas(*build[:6], *OPTIONS[:2], "--windows", 99, "--distil", 8, "--out", "other.csv")
    assert (ran.code, "no windows beside the 99 that are scored on" in ran.err) == (2, True)


def test_an_assembled_model_learns_from_its_parent(hwnas: Hwnas) -> None:
    assert hwnas("library", "build", "--model", "hf:m", "--data", "t.txt", *OPTIONS, "--out", "lib.csv").code == 0
    assert hwnas("search", "--library", "lib.csv", "--out", "front.csv").code == 0
    text = Path("text")
    text.mkdir()
    for split in ("train", "validation"):
        shutil.copy("t.txt", text / f"{split}.txt")
    options = ("--front", "front.csv", "--row", 9, "--steps", 24, "--batch-size", 4, "--learning-rate", 0.003)
    ran = hwnas("train", "--supernet", "hf:m", "--data", text, *options, "--out", "taught.safetensors")
    assert ran.code == 0, ran.err
    assert "the subnet: " in ran.err
    before, after = load_supernet("hf:m"), load_supernet("taught.safetensors")
    row = before.space.encode(Front.load("front.csv").arch(9))
    (ids, following), *_ = ModelOnText("hf:m", Path("t.txt"), 4, 16, 4).batches()
    with torch.no_grad():
        parent = Parent(before.forward(parent_row(before.space), {"input_ids": ids}), following)
        told = [parent(net.forward(row, {"input_ids": ids})).kl for net in (before, after)]
    assert told[1] < 0.95 * told[0]
    save(Path("q"), "qwen2")
    ran = hwnas("train", "--supernet", "hf:q", "--data", text, *options, "--out", "other.safetensors")
    assert (ran.code, ran.err.count("\n"), "--front front.csv: it is of llama-3x24-" in ran.err) == (2, 1, True)
    ran = hwnas("train", "--supernet", "hf:m", "--data", text, "--row", 9, "--out", "taught.safetensors")
    assert (ran.code, "add --front FILE" in ran.err) == (2, True)


def test_bad_input_gets_one_line_and_loses_nothing(hwnas: Hwnas, here: Path) -> None:
    build = ("library", "build", "--model", "hf:m", "--out", "lib.csv")
    (here / "short.txt").write_text("the film")
    cases = {
        (*build, "--data", "short.txt"): "has 2 tokens, and a window needs 33",
        (*build, "--data", "t.txt", "--length", 65): "has 64 positions",
        (*build, "--data", "t.txt", "--prompt", 65): "--prompt 65: llama-3x24-h6k2x8-f32-v20 has 64 positions; give 64",
        (*build, "--data", "t.txt", "--context", 64): "one of them for the token that is written; give 63, or less",
        (*build, "--data", "t.txt", "--threads", 2): "add --device cpu",
        (
            "library",
            "build",
            "--model",
            "ofa_resnet50",
            "--data",
            "t.txt",
            "--out",
            "lib.csv",
        ): "one of: llama, mistral, qwen2",
        ("library", "check", "t.txt"): "t.txt",
    }
    for command, complaint in cases.items():
        options = () if "--length" in command else ("--length", 32)
        ran = hwnas(*command, *(options if command[1] == "build" else ()))
        assert ran.code == 2, ran.err
        assert complaint in ran.err
        assert ran.err.count("\n") == 1
    assert not Path("lib.csv").exists()
    assert hwnas(*build, "--data", "t.txt", *OPTIONS).code == 0
    (here / "t.txt").write_text("the film was good " * 99)
    for command in (("search", "--library", "lib.csv", "--verify"), ("library", "check", "lib.csv")):
        ran = hwnas(*command)
        assert (ran.code, "was scored on it, and it has changed since; restore it, or build" in ran.err) == (2, True)
    for name in ("results/lib.csv", "README.md"):
        (here / "m" / name).parent.mkdir(exist_ok=True)
        (here / "m" / name).write_text("what else the folder holds is not read")
    assert hwnas("search", "--library", "lib.csv").code == 0
    save(here / "m", "llama", seed=1)
    ran = hwnas("search", "--library", "lib.csv")
    assert ran.code == 2
    assert "it is of other weights than hf:m holds now" in ran.err
    save(here / "m", "llama", num_hidden_layers=2)
    assert "it is of another model than hf:m holds now" in hwnas("search", "--library", "lib.csv").err
    (here / "m").rename(here / "elsewhere")
    ran = hwnas("search", "--library", "lib.csv")
    assert (ran.code, "library lib.csv, its model hf:m: " in ran.err) == (2, True), ran.err
    assert "run the command in the folder where the library was built" in ran.err
    Path("lib.json").unlink()
    assert hwnas("search", "--library", "lib.csv", "--objectives", "kl,params").code == 0  # a table like any other


def test_remedies_name_the_options_of_a_library(hwnas: Hwnas) -> None:
    build = ("library", "build", "--model", "hf:m", "--data", "t.txt", "--out", "lib.csv")
    ran = hwnas(*build)  # in windows of 256 tokens
    assert (ran.code, ran.err.rpartition("; ")[2]) == (2, "pass --length 64 or less\n")
    assert hwnas(*build, *OPTIONS).code == 0
    ran = hwnas("search", "--library", "lib.csv", "--latency", "3ms")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "the table has no column latency_ms; build the library with --device NAME, or name one" in ran.err
    ran = hwnas("search", "--library", "lib.csv", "--objectives", "kl,latency")
    assert (ran.code, ran.err.rpartition("; ")[2]) == (2, "or build the library with --device NAME\n")
    ran = hwnas("search", "--library", "lib.csv", "--verify", "--data", "t.txt")  # the text is that of the library
    assert (ran.code, "without evaluations; drop --data (see" in ran.err) == (2, True), ran.err
    ran = hwnas("library", "check", "lib.csv", "--data", "other.txt")
    assert (ran.code, ran.err.count("\n"), "data other.txt: there is no such file or folder" in ran.err) == (2, 1, True)
