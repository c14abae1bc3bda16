"""Block libraries from tables."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.errors import DataError
from hwnas.graph import mixed_space
from hwnas.io import read_block_library
from hwnas.search import exact_front
from hwnas.space.families.block_library import block_library
from hwnas.supernet.hf.decoder._space import Decoder, decoder_space
from tests.search.exact.integer_programme import milp_minimum

ROWS = "layer,choice,loss,latency_ms\n0,attention,0,3\n0,linear,0.5,1\n0,none,2,0\n1,full,0,4\n1,half,0.3,2.5\n"


def test_a_table_becomes_a_space_with_sums_for_metrics(tmp_path):
    path = tmp_path / "llm.csv"
    path.write_text(ROWS)
    space, metrics = read_block_library(path)
    assert (space.name, space.size(), list(metrics)) == ("llm", 6, ["loss", "latency_ms"])
    arch = {"block": ["linear", "half"]}
    row = space.encode(arch)
    assert metrics["loss"](row[None]) == 0.8
    assert metrics["latency_ms"](row[None]) == 3.5
    assert space.decode(row) == arch
    best = exact_front(space, [metrics["loss"]], [(metrics["latency_ms"], 4.0)])
    assert space.decode(best[0]) == arch


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("layer,loss\n0,1\n", "add choice"),
        ("layer,choice\n0,a\n", "add a metric"),
        (ROWS + "1,half,0,1\n", "given twice"),
        (ROWS.replace("0.5", "much"), "row 2, loss 'much': a finite number is needed"),
        (ROWS.replace("0.5", "nan"), "row 2, loss .*a finite number is needed"),
        (ROWS.replace("0.5", "inf"), "row 2, loss inf: a finite number is needed"),
        (ROWS.replace("0.5", ""), r"row 2, loss \(empty"),
    ],
)
def test_bad_tables_get_one_line(tmp_path, text, complaint):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=complaint) as caught:
        read_block_library(path)
    assert "\n" not in str(caught.value)


def test_three_budgets_of_a_large_library_are_met_at_the_optimum():
    rng = np.random.default_rng(0)
    n_layers, n_choices = 20, 30
    layers = np.repeat(np.arange(n_layers), n_choices).tolist()
    choices = np.tile(np.arange(n_choices), n_layers).tolist()
    size = rng.random(len(layers))
    names = ("latency", "memory", "energy")
    columns = {name: size * rng.uniform(0.5, 1) + 0.4 * rng.random(len(size)) for name in names}
    columns["loss"] = -np.log(0.02 + size) * rng.uniform(0.5, 1.5, len(size))
    space, metrics = block_library(layers, choices, columns)
    limits = [(metrics[n], 0.7 * metrics[n].minimum()[0] + 0.3 * metrics[n].maximum()[0]) for n in names]
    best = exact_front(space, [metrics["loss"]], limits)
    assert len(best) == 1
    assert all(metric(best)[0] <= upper for metric, upper in limits)
    assert metrics["loss"](best)[0] == pytest.approx(milp_minimum(space, metrics["loss"], limits), rel=1e-6)


def test_choices_and_precisions_of_a_model_are_one_alternative(tmp_path):
    layers = [("a[0]", "0", ""), *(("a[0]", c, p) for c in "12" for p in ("fp32", "int4")), ("head", "all", "fp32")]
    layers += [("head", "all", "int4"), ("f[0]", "8", "fp32"), ("f[0]", "8", "int4"), ("embeddings", "all", "fp32")]
    layers += [("embeddings", "all", "int4"), ("l", "1", ""), ("p", "0", "")]
    values = np.arange(1, len(layers) + 1)
    path = tmp_path / "lib.csv"
    rows = [f"{','.join(layer)},{value}" for layer, value in zip(layers, values, strict=True)]
    path.write_text("\n".join(["layer,choice,precision,loss", *rows]) + "\n")
    decoder = Decoder(1, 32, 8, 4, 2, 8, "silu", 1e-6, 1e4, 20, 64, tied=True)
    model = mixed_space(decoder_space("llama", decoder, (1, 16), (0, 16)), "fp32+int4")
    space, metrics = read_block_library(path, model)
    told = dict(zip(layers, values, strict=True))
    assert space.size() == (1 + 2 * 2) * 2 * 2  # attention, FFN, words and head
    every = space.every(10_000)
    assert every is not None
    for row in every:
        arch = space.decode(row)
        words, attention, ffn = arch["q"]
        kept = str(arch["a"][0])
        expected = told["a[0]", kept, attention if arch["a"][0] else ""] + told["f[0]", "8", ffn]
        expected += told["embeddings", "all", words] + told["head", "all", words]
        assert metrics["loss"](row[None])[0] == expected + told["l", "1", ""] + told["p", "0", ""]
    best = exact_front(space, [metrics["loss"]])
    assert metrics["loss"](best)[0] == min(metrics["loss"](every))
    assert read_block_library(path)[0].size() == 5 * 2 * 2 * 2  # a table like any other

    def written(lines):
        path.write_text("\n".join(["layer,choice,precision,loss", *lines]) + "\n")

    written(rows[:7] + rows[8:])  # an FFN that is always in four bits
    assert read_block_library(path, model)[0].size() == space.size() / 2
    for lost, layer in {2: "a.0.", 6: "embeddings"}.items():
        written(rows[:lost] + rows[lost + 1 :])
        with pytest.raises(DataError, match=f"layer '{layer}': it has rows in fp32, int4, but not for every choice"):
            read_block_library(path, model)
    written([row.replace("8,int4", "8,int8") for row in rows])
    with pytest.raises(DataError, match=r"precision 'int8'.*precisions of f\[0\] in .* are fp32, int4"):
        read_block_library(path, model)
