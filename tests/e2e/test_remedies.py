"""Every remedy that is printed is typed as printed: the complaint must then be gone."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwnas.io import write_csv
from hwnas.predictor import new_predictor, save_predictor
from hwnas.report import pareto_frame, write_pareto
from hwnas.space import macs_cost
from tests.e2e.conftest import Hwnas
from tests.e2e.machine import SPACE, fake_runtime, save_table, true_ns

SEARCH = [
    "search",
    "--space",
    "digits",
    "--device",
    "TABLE",
    "--predictor",
    "p.safetensors",
    "--generations",
    "1",
    "--population",
    "8",
]
TABLE = "latency_tables/toy"
NB201 = ["search", "--space", "nasbench201", "--generations", "1", "--population", "8"]


def replaced(words: list[str], old: str, new: str) -> list[str]:
    """``words`` with one of them, or its part behind an equals sign or comma, replaced."""
    for i, word in enumerate(words):
        if word == old:
            return [*words[:i], new, *words[i + 1 :]]
    for i, word in enumerate(words):
        parts = re.split(r"([=,:])", word)
        if old in parts:
            parts[parts.index(old)] = new
            return [*words[:i], "".join(parts), *words[i + 1 :]]
    raise AssertionError(f"{old!r} was not typed: {words}")


def without(words: list[str], option: str) -> list[str]:
    i = words.index(option)
    value = i + 1 < len(words) and not words[i + 1].startswith("--")
    return words[:i] + words[i + 1 + value :]


def with_value(words: list[str], option: str, value: str) -> list[str]:
    """``words`` with another value of an option, or with the option."""
    if option not in words:
        return [*words, option, value]
    i = words.index(option)
    return [*words[:i], option, value, *words[i + 2 :]]


def typed(words: list[str], line: str) -> list[str]:
    """The command that an error tells to type."""
    told = line.removeprefix("error: ").strip()
    if match := re.match(r"(?:metric|objective) (\S+): .*; write (\S+)", told):
        return replaced(words, match[1], match[2])
    option = next((w for w in re.findall(r"--[a-z-]+", told.split(": ")[0])), None)
    if match := re.search(r"did you mean (--[a-z-]+)\?", told):
        return replaced(words, re.search(r"No such option: (--\S+?);", told)[1], match[1])  # type: ignore[index]
    if match := re.search(r"did you mean '?([^'? ]+)'?\?", told):
        quoted = re.search(r"'([^']+)'", told)
        wrong = quoted[1] if quoted and quoted[1] in " ".join(words) and option is None else None
        return replaced(words, wrong, match[1]) if wrong else with_value(words, str(option), match[1])
    if match := re.search(
        r"; (?:write|add|pass|make it an objective:) (?:for example )?((?:--[a-z-]+ (?:'[^']*'|\S+) ?)+)", told
    ):
        pairs = shlex.split(match[1])
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            words = with_value(words, name, value)
        return words
    if match := re.search(r"keep to what it holds: (.*)$", told):
        return [*words, *shlex.split(match[1])]
    if match := re.search(r"; drop (--[a-z-]+)", told):
        return without(words, match[1])
    if match := re.search(r"; write (?:for example |a point: )?\"?([^\s\"]+)\"?", told):
        assert option is not None
        return with_value(words, option, match[1])
    raise AssertionError(f"no remedy that can be typed: {told}")


@pytest.mark.parametrize(
    "words",
    [
        [*SEARCH, "--latency", "20"],
        [*SEARCH, "--latency", "20MS"],
        [*SEARCH, "--latency", "20,5ms"],
        [*SEARCH, "--latency", "-5ms"],
        [*SEARCH, "--latency", "fast"],
        [*SEARCH, "--latency", "=20ms"],
        [*SEARCH, "--latncy", "20ms"],
        [*SEARCH, "--throughput", "50"],
        [*SEARCH, "--macs", "1e9"],
        [*SEARCH, "--macs", "600"],
        [*SEARCH, "--macs", "600m"],
        [*SEARCH, "--params", "8000000"],
        [*SEARCH, "--memory", "20000000"],
        [*SEARCH, "--budget", "macs"],
        [*SEARCH, "--budget", "top1=75"],
        [*SEARCH, "--budget", "latency=20"],
        [*SEARCH, "--budget", "params<=5"],
        [*SEARCH, "--fix", "r"],
        [*SEARCH, "--fix", "r=8,"],
        [*SEARCH, "--precision", "fp32,"],
        [*SEARCH, "--batch", "8"],
        [*SEARCH, "--threads", "2"],
        [*SEARCH, "--searcher", "nsga"],
        [*SEARCH, "--objectives", "top1,,macs"],
        [
            "bench",
            "--space",
            "digits",
            "--objectives",
            "macs,,params",
            "--searchers",
            "random,,nsga2",
            "--seeds",
            "1",
            "--evals",
            "20",
        ],
        [*SEARCH, "--objectives", "top1,latncy"],
        [*SEARCH, "--out", "front.json"],
        [*SEARCH, "--evals", "9", "--prior", "accuracies.csv"],
        ["search", "--space", "digts", *SEARCH[3:]],
        [*NB201, "--table", "part.csv", "--objectives", "acc:max,ms:min"],
        [*NB201, "--table", "all.csv", "--objectives", "acc,ms"],
        ["report", "front.csv", "--out", "front.doc"],
        ["measure", "front.csv", "--space", "digits", "--most", "1", "--rows", "1-9"],
        ["measure", "front.csv", "--space", "digits", "--rows", "2-1"],
        ["measure", "front.csv", "--space", "digits", "--rows", ",1"],
        ["profile", "--bundle", "x.zip", "--device", "ssh://host", "--space", "digits", "--subnets", "2"],
    ],
    ids=lambda words: " ".join(w for w in words if w not in SEARCH),
)
def test_what_a_message_tells_to_type_helps(
    hwnas: Hwnas, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr("hwnas.latency.Host.run", _unreachable)
    _files(folder)
    fake_runtime(monkeypatch, true_ns())
    typed_first = [TABLE if word == "TABLE" else word for word in words]
    seen = []
    for _ in range(4):  # one remedy may uncover the next fault, never the same one
        ran = hwnas(*typed_first)
        if ran.code != 2:
            break
        complaint = ran.err.splitlines()[-1]
        assert complaint not in seen
        seen.append(complaint)
        typed_first = typed(typed_first, complaint)
    else:
        pytest.fail("\n".join(seen))
    assert seen, "nothing was refused"


def _unreachable(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _files(folder: Path) -> None:
    """A front of two rows, and tables of all cells of NAS-Bench-201 and of those whose first operation is no pooling."""
    device = save_table(true_ns())
    (folder / "latency_tables" / device.id).rename(folder / TABLE)
    x = SPACE.sample(60, np.random.default_rng(0))
    y = 60 + 6 * np.log(macs_cost(SPACE)(x) / 4e4)
    model = new_predictor("additive", SPACE).fit(x, y)
    save_predictor(model, folder / "p.safetensors")
    archs = SPACE.decode_many(x[:2])
    write_pareto(pareto_frame(archs, {"top1": np.array([70.0, 71.0])}), folder / "front.csv")
    cells = ["".join(ops) for ops in itertools.product("01234", repeat=6)]
    frame = pd.DataFrame({"ops": cells, "acc": [50 + i % 40 for i in range(len(cells))], "ms": range(len(cells))})
    write_csv(frame, folder / "all.csv")
    write_csv(frame[[not ops.startswith("4") for ops in cells]], folder / "part.csv")


def test_what_to_type_next_names_a_file_that_begins_with_a_dash_so_that_it_is_no_option(hwnas: Hwnas) -> None:
    ran = hwnas("search", "--space", "digits", "--objectives", "macs:max,params", "--out", "-x.csv")
    assert ran.code == 0, ran.err
    report, export = re.findall(r"hwnas ((?:report|export) .*?)  ", ran.out)
    assert report == "report ./-x.csv --html"
    assert hwnas(*shlex.split(report)).code == 0
    assert export == "export ./-x.csv --row 1"
    assert '"csv":"./-x.csv"' in Path("-x.html").read_text()
