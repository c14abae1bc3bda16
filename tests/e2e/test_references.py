"""A network of the user's own, named by its file in every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from hwnas.cli._options import REFERENCE
from hwnas.io import arch_column, write_csv
from hwnas.space import SearchSpace, macs_cost
from hwnas.study._space import open_space
from hwnas.supernet import KINDS, Supernet, load_supernet, random_supernet
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import fake_runtime, save_table

OWN = f"{REPOSITORY / 'examples' / 'own_supernet.py'}:OwnSupernet"
QUICK = ("--searcher", "random", "--population", 30, "--generations", 3)


@pytest.fixture
def trained(folder: Path) -> str:
    """A file as ``hwnas train`` writes it, of the user's own network with seven classes."""
    net: Supernet = random_supernet(OWN, 0, 7)
    net.labels = tuple("abcdefg")
    net.save(folder / "own.safetensors")
    return "own.safetensors"


@pytest.mark.parametrize("kind", ["object", "trained"])
def test_one_reference_goes_through_every_command(
    hwnas: Hwnas, monkeypatch: pytest.MonkeyPatch, trained: str, kind: str
) -> None:
    reference = OWN if kind == "object" else trained
    space = open_space(reference)
    assert space.name == ("own" if kind == "object" else "own-c7")
    ns = {key: round(20_000 + layer.macs / 6) for key, layer in space.layers().items()}
    save_table(ns, space)
    fake_runtime(monkeypatch, ns)
    _write_accuracies(space)

    def ran(*words: object) -> str:
        done = hwnas(*words)
        assert done.code == 0, done.err
        return done.out + done.err

    assert f"{space.size():,} distinct" in ran("spaces", "--space", reference)
    told = ran("fit", "accuracy.csv", "--space", reference, "--model", "additive", "--out", "p.safetensors")
    assert f"hwnas search --space {reference} --predictor p.safetensors" in told
    ran("predict", "accuracy.csv", "--space", reference, "--predictor", "p.safetensors", "--out", "predicted.csv")
    told = ran("search", "--space", reference, "--predictor", "p.safetensors", "--latency", "9ms", "--as-is", *QUICK)
    assert ("its weights: --checkpoint FILE" in told) is (kind == "object")
    assert json.loads(Path("pareto.json").read_text())["space"]["reference"] == reference
    ran("measure", "pareto.csv", "--most", 2)
    ran("report", "pareto.csv", "--html")
    weights = ("--random-weights",) if kind == "object" else ()
    ran("export", "pareto.csv", "--row", 1, *weights, "--out", "own.onnx")
    metadata = {entry.key: entry.value for entry in onnx.load("own.onnx").metadata_props}
    assert metadata["supernet"] == reference
    assert metadata.get("labels", "[]") == ("[]" if kind == "object" else json.dumps(list("abcdefg")))


def test_bundles_carry_spaces_of_the_users_own(hwnas: Hwnas) -> None:
    ran = hwnas("profile", "--bundle", "board.zip", "--space", OWN, "--fix", "r=32", "--subnets", 2)
    assert ran.code == 0, ran.err


def test_an_export_refuses_weights_that_changed_since_the_search(hwnas: Hwnas, trained: str) -> None:
    _write_accuracies(open_space(trained))
    hwnas("fit", "accuracy.csv", "--space", trained, "--model", "additive", "--out", "p.safetensors")
    two = ("--objectives", "top1,macs")
    assert hwnas("search", "--space", trained, "--predictor", "p.safetensors", *two, *QUICK).code == 0
    random_supernet(OWN, 1, 7).save(trained)
    ran = hwnas("export", "pareto.csv", "--row", 1)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "the file has changed since the front was searched with it; pass --checkpoint own.safetensors" in ran.err
    assert not Path("subnet.onnx").exists()
    assert hwnas("export", "pareto.csv", "--row", 1, "--checkpoint", trained).code == 0
    Path(trained).unlink()
    ran = hwnas("export", "pareto.csv", "--row", 1)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert (
        f"weights {trained}: the front was searched with them, and they are not here; run the command where" in ran.err
    )


def test_commands_from_another_folder_say_where_to_run(
    hwnas: Hwnas, folder: Path, monkeypatch: pytest.MonkeyPatch, trained: str
) -> None:
    assert hwnas("search", "--space", trained, "--objectives", "macs:max,params", *QUICK).code == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    missing = (
        f"error: file ../pareto.csv: it was searched in {trained}, which does not open here (there is no such file); "
    )
    for command in ("measure", "predict"):
        ran = hwnas(command, "../pareto.csv", "--out", "out.csv")
        assert (ran.code, ran.err) == (2, f"{missing}run the command where the search ran, or pass --space NAME\n")
    ran = hwnas("space", "shrink", "../pareto.csv", "--out", "part.json")
    assert ran.code == 2
    assert ran.err.endswith("run the command where the search ran, or search again\n")
    ran = hwnas("predict", "../pareto.csv", "--space", f"../{trained}", "--out", "out.csv")
    assert ran.code == 0, ran.err


def test_a_checkpoint_that_was_searched_is_found_by_export(hwnas: Hwnas, folder: Path) -> None:
    net = random_supernet("digits", 5)
    net.save(folder / "mine.safetensors")
    few = ("--evals", 8, "--images", 20, "--calibrate", 20, "--fix", "r=8", "--fix", "d=1")
    named = ("--supernet", "digits", "--checkpoint", "mine.safetensors")
    ran = hwnas("search", "--evaluate", *named, *few, "--objectives", "top1,macs", "--searcher", "random")
    assert ran.code == 0, ran.err
    ran = hwnas("export", "pareto.csv", "--row", 1)
    assert ran.code == 0, ran.err
    metadata = {entry.key: entry.value for entry in onnx.load("subnet.onnx").metadata_props}
    assert net.digest in metadata["weights"]


def test_a_trained_file_is_of_its_family_and_not_of_the_file_it_came_from(trained: str) -> None:
    assert load_supernet(trained).reference == OWN
    again = random_supernet(trained)
    assert (again.reference, again.classes) == (OWN, 7)


def test_every_kind_of_reference_is_in_the_help() -> None:
    spelled = REFERENCE.replace("a name", "NAME")
    assert all(form in spelled for kind in KINDS for form in kind.form.split(" or "))


BROKEN = [
    ("import no_such_module", "cannot be imported (ModuleNotFoundError"),
    ("def net(:", "cannot be imported (SyntaxError"),
    ("1 / 0", "cannot be imported (ZeroDivisionError"),
    ("import sys; sys.exit(0)", "cannot be imported (SystemExit"),
    ("net = 3", "it is n"),
    ("other = 3", "has no net"),
    ("class net:\n    pass", "it is n"),
    ("def net(): raise ValueError('no')", "it is no"),
    (
        "from hwnas.supernet import Supernet\nclass net(Supernet):\n    search_space = classmethod(lambda cls: 1 / 0)",
        "fails (ZeroDivisionError",
    ),
    ("from hwnas.supernet import Supernet\nclass net(Supernet): pass", "no SearchSpace"),
]
"""Text of ``mine.py``, and what is said of ``mine.py:net``."""

SPACES = [("fit", "x.csv"), ("predict", "x.csv", "--out", "y.csv"), ("search",), ("profile",), ("bench",), ("spaces",)]
SUPERNETS = [
    ("evaluate", "--sample", 2, "--out", "y.csv"),
    ("search", "--evaluate"),
    ("train", "--out", "y.safetensors"),
    ("export", "--arch", "{}", "--random-weights"),
]


@pytest.mark.parametrize(("text", "complaint"), BROKEN, ids=[text.replace("\n", " ") for text, _ in BROKEN])
@pytest.mark.parametrize("command", [*SPACES, *SUPERNETS], ids=lambda words: " ".join(map(str, words)))
def test_a_broken_plug_in_is_one_line(hwnas: Hwnas, text: str, complaint: str, command: tuple[object, ...]) -> None:
    Path("mine.py").write_text(text + "\n")
    named = ("--supernet" if command in SUPERNETS else "--space", "mine.py:net")
    ran = hwnas(*command, *named)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran.err
    if command in SPACES and "raise ValueError" in text:
        complaint = "making it fails (ValueError: no)"
    assert complaint in ran.err
    assert "net" in ran.err.split(":")[1] or "mine.py" in ran.err


@pytest.mark.parametrize("typed", ["nets/mine:own_space", "nets/mine.py:ownspace"])
def test_what_was_meant_is_told(hwnas: Hwnas, typed: str) -> None:
    Path("nets").mkdir()
    Path("nets/mine.py").write_text("from hwnas.space import get_space\nown_space = get_space('digits')\n")
    ran = hwnas("spaces", "--space", typed)
    assert (ran.code, ran.err.splitlines()[-1].endswith("did you mean nets/mine.py:own_space?")) == (2, True), ran.err
    assert hwnas("spaces", "--space", "nets/mine.py:own_space").code == 0


def _write_accuracies(space: SearchSpace) -> None:
    x = space.sample(40, np.random.default_rng(0))
    write_csv(pd.DataFrame({"arch": arch_column(x, space), "top1": 50 + macs_cost(space)(x) / 2e6}), "accuracy.csv")
