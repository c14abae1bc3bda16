"""Provenance that was edited by hand or by another program is refused, not half understood."""

from __future__ import annotations

import json

import pytest

from hwnas.errors import DataError
from hwnas.report import provenance_path, read_provenance, write_provenance

FACTS = {
    "objectives": ["top1", "latency_ms"],
    "budgets": {"latency_ms": 20.0},
    "space": {"name": "digits"},
    "hypervolume": {"value": 1.0, "reference": {"top1": 70.0}},
    "trace": [[10, 0.5]],
    "random_sample": {"top1": [70.0, 71.5]},
    "evaluator": None,
}


def test_what_was_written_is_read(tmp_path):
    write_provenance(FACTS, tmp_path / "front.json")
    read = read_provenance(tmp_path / "front.csv")
    assert {key: read[key] for key in FACTS} == FACTS
    assert read_provenance(tmp_path / "other.csv") == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("objectives", "top1"),
        ("objectives", [1, 2]),
        ("budgets", [20]),
        ("budgets", {"latency_ms": "20ms"}),
        ("space", "digits"),
        ("space", {"name": 5}),
        ("device", 3),
        ("hypervolume", {"value": 1.0, "reference": {"top1": None}}),
        ("trace", [[1, 2, 3]]),
        ("trace", [["ten", 0.5]]),
        ("random_sample", {"top1": ["high"]}),
        ("random_sample", {"top1": [70.0], "macs": [1, 2]}),
        ("predictor", {"kind": "gp"}),
        ("predictor", {"name": "gp", "data": 5}),
        ("evaluator", {"engine": "torch"}),
        ("evaluator", {"images": 5, "sensitivity": [{"layer": "stem"}]}),
        ("score", {"name": 3}),
        ("schema", 99),
    ],
)
def test_facts_of_another_shape_are_named(tmp_path, key, value):
    write_provenance(FACTS, tmp_path / "front.json")
    path = provenance_path(tmp_path / "front.csv")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(DataError, match=key):
        read_provenance(tmp_path / "front.csv")
