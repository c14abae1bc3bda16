"""Fronts of decoders are timed at the lengths of their library: reading its prompt, and writing one token after its context."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwnas.cli.measure import _next
from hwnas.latency import get_device
from hwnas.space import network_inputs
from hwnas.study import Provenance
from hwnas.study._decoding import Decoding, with_prefill
from hwnas.study._place import Place
from hwnas.study._timed_file import Clock
from hwnas.supernet.hf.decoder._space import Decoder, decoder_space

DECODER = Decoder(2, 24, 32, 6, 2, 8, "silu", 1e-6, 1e4, 20, 64, tied=True)
SPACE = decoder_space("llama", DECODER, (1, 16, 64), (0, 16, 63))


@pytest.mark.parametrize(("prompt", "context"), [(16, 63), (30, 21)])  # choices of the space, and others
def test_each_row_is_a_step_of_writing_and_a_prompt(prompt: int, context: int) -> None:
    provenance = Provenance(files=[{"name": "lib.csv", "lengths": {"prompt": prompt, "context": context}}])
    decoding = Decoding.of(SPACE, provenance)
    assert decoding == Decoding(prompt, context)
    x = SPACE.sample(3, np.random.default_rng(0))
    for runs, (length, past) in zip(decoding.runs(SPACE, x), ((1, context), (prompt, 0)), strict=True):
        assert runs.space.input_values == {"l": [length], "p": [past]}
        for row, original in zip(runs.x, x, strict=True):
            arch = runs.space.decode(row)
            assert (arch["l"], arch["p"]) == (length, past)
            assert (arch["a"], arch["f"]) == tuple(SPACE.decode(original)[key] for key in ("a", "f"))
            inputs = network_inputs(runs.space.network(row))
            assert inputs["input_ids"].shape == (length,)
            assert inputs["attention_mask"].shape == (length + past,)
    assert Decoding.of(SPACE, Provenance()) is None


def test_each_kind_of_run_is_measured_beside_the_anchor_of_its_own_table() -> None:
    tables = {"latency_ms": {"id": "writing"}, "prefill_ms": {"id": "reading"}}
    provenance = Provenance(files=[{"name": "lib.csv", "lengths": {"prompt": 16, "context": 63}, "tables": tables}])
    decoding = Decoding.of(SPACE, provenance)
    assert decoding is not None
    x = SPACE.sample(1, np.random.default_rng(0))
    assert [runs.table["id"] for runs in decoding.runs(SPACE, x)] == ["writing", "reading"]
    assert decoding.completed(provenance).device == {"id": "writing"}


def test_tokens_per_second_of_both_are_told_beside_what_was_predicted() -> None:
    frame = pd.DataFrame({"row": [1, 2], "prefill_ms": [100.0, 80.0], "latency_ms": [20.0, 10.0]})
    frame["latency_measured_ms"] = [25.0, 12.5]
    both: list[Any] = [SimpleNamespace(median_ms=ms, at_table_speed_ms=None) for ms in (128.0, 64.0)]
    found = with_prefill(frame, [0, 1], both)
    assert list(found) == ["row", "prefill_ms", "prefill_measured_ms", "latency_ms", "latency_measured_ms"]
    assert Decoding(64, 128).summary(found) == [
        "row 1 reads 500 tokens/s (predicted 640) and writes 40 tokens/s (predicted 50)",
        "row 2 reads 1,000 tokens/s (predicted 800) and writes 80 tokens/s (predicted 100)",
        "reading: a prompt of 64 tokens; writing: one after 128",
    ]
    again = with_prefill(found.astype(str), [1], both[:1])
    assert again["prefill_measured_ms"].tolist() == [128.0, 128.0]
    unpredicted = pd.DataFrame({"row": [1], "kl": [0.5], "arch": ["{}"], "mine": ["note"]})
    assert list(with_prefill(unpredicted, [0], both[:1])) == ["row", "kl", "prefill_measured_ms", "arch", "mine"]


def test_predictions_are_held_against_the_speed_that_they_are_of() -> None:
    frame = pd.DataFrame({"row": [1], "prefill_ms": [100.0], "latency_ms": [20.0]})
    frame["latency_measured_ms"], frame["latency_at_table_speed_ms"] = [40.0], [20.4]
    one: Any = SimpleNamespace(median_ms=200.0, at_table_speed_ms=125.0)
    found = with_prefill(frame, [0], [one])
    assert list(found)[1:4] == ["prefill_ms", "prefill_measured_ms", "prefill_at_table_speed_ms"]
    first, _, reads, writes = Decoding(50, 128).summary(found)
    assert first == (
        "row 1 reads 250 tokens/s (400 at the table's speed, predicted 500) "
        "and writes 25 tokens/s (49.02 at the table's speed, predicted 50)"
    )
    assert reads.startswith("what it reads, at the table's speed: 0.0 % within 5 %")
    assert writes.startswith("what it writes, at the table's speed: 100.0 % within 5 %")


def test_an_exported_file_is_timed_at_both_lengths_and_its_budget_is_of_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def measure_file(_device: object, _path: Path, *, anchor: object, sizes: Mapping[str, int]) -> Any:
        asked.append((anchor, dict(sizes)))
        ms = 2.0 if sizes["length"] == 1 else 30.0
        return SimpleNamespace(median_ms=ms, p95_ms=ms, at_table_speed_ms=None, speed_pct=None)

    monkeypatch.setattr("hwnas.latency.measure_file", measure_file)
    clock = Clock(Place(get_device("cpu"), "fp32", None), SPACE, Decoding(16, 63))
    row = SPACE.canonical(np.array([[2, 1, 1, 1, 0, 0]], dtype=np.int16))[0]
    assert clock.holds(Path("model.onnx"), row, 3.0)
    assert asked == [
        (None, {"length": 1, "past + length": 64, "past": 63}),
        (None, {"length": 16, "past + length": 16, "past": 0}),
    ]
    assert not clock.holds(Path("model.onnx"), row, 1.0)


def test_a_budget_that_is_broken_is_searched_again_below_it_for_a_library_is_verified_on_a_text() -> None:
    frame = pd.DataFrame({"row": [1], "latency_measured_ms": [12.0]})
    place = SimpleNamespace(device=SimpleNamespace(name="cpu"))
    done: Any = SimpleNamespace(budget_ms=10.0, elsewhere=False, place=place, decoding=Decoding(16, 63))
    *_, last = _next(frame, done, [1], 0.2, str)
    assert last.split("(")[0].strip() == "hwnas search ... --latency 8.33ms"


def test_the_table_of_another_precision_tells_no_speed() -> None:
    here = get_device("cpu")
    told = {"conditions": here.to_json(), "precision": "fp32", "anchor": {}}
    assert Place(here, "fp32", None).beside(told).table is not None
    assert Place(here, "int8", None).beside(told).table is None
