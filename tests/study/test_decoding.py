"""Fronts of decoders are timed at the lengths of their library: reading its prompt, and writing one token after its context."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from hwnas.space import network_inputs
from hwnas.study._decoding import Decoding, with_prefill
from hwnas.supernet.hf.decoder._space import Decoder, decoder_space

DECODER = Decoder(2, 24, 32, 6, 2, 8, "silu", 1e-6, 1e4, 20, 64, tied=True)
SPACE = decoder_space("llama", DECODER, (1, 16, 64), (0, 16, 63))


def test_each_row_is_a_step_of_writing_and_a_prompt() -> None:
    facts: dict[str, Any] = {"files": [{"name": "lib.csv", "lengths": {"prompt": 16, "context": 63}}]}
    decoding = Decoding.of(SPACE, facts)
    assert decoding == Decoding(16, 63)
    x = SPACE.sample(3, np.random.default_rng(0))
    rows = decoding.rows(SPACE, x)
    for i, row in enumerate(rows):
        arch = SPACE.decode(row)
        assert (arch["l"], arch["p"]) == ((1, 63) if i < 3 else (16, 0))
        assert (arch["a"], arch["f"]) == tuple(SPACE.decode(x[i % 3])[key] for key in ("a", "f"))
        inputs = network_inputs(SPACE.network(row))
        assert inputs["input_ids"].shape == (arch["l"],)
        assert inputs["attention_mask"].shape == (arch["l"] + arch["p"],)
    assert Decoding.of(SPACE, {}) is None


def test_tokens_per_second_of_both_are_told_beside_what_was_predicted() -> None:
    frame = pd.DataFrame({"row": [1, 2], "prefill_ms": [100.0, 80.0], "latency_ms": [20.0, 10.0]})
    frame["latency_measured_ms"] = [25.0, 12.5]
    both: list[Any] = [SimpleNamespace(median_ms=128.0), SimpleNamespace(median_ms=64.0)]
    found = with_prefill(frame, [0, 1], both)
    assert list(found) == ["row", "prefill_ms", "prefill_measured_ms", "latency_ms", "latency_measured_ms"]
    assert Decoding(64, 128).told(found) == [
        "row 1 reads 500 tokens/s (predicted 640) and writes 40 tokens/s (predicted 50)",
        "row 2 reads 1,000 tokens/s (predicted 800) and writes 80 tokens/s (predicted 100)",
        "reading: a prompt of 64 tokens; writing: one after 128",
    ]
    again = with_prefill(found.astype(str), [1], both[:1])
    assert again["prefill_measured_ms"].tolist() == [128.0, 128.0]
