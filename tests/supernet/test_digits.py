"""The supernet that ships: its size, its model card's figures, and its place in the command line."""

from __future__ import annotations

import json
import re

import pytest
from safetensors import safe_open

from benchmarks.digits_supernet import EMBEDDED, chosen_subnets
from hwnas.space import macs_cost, params_cost
from hwnas.supernet import evaluate, load_supernet, measure_accuracy, recalibrate
from hwnas.supernet.digits import Digits

CARD = (EMBEDDED / "digits.md").read_text()
CHECKPOINT = EMBEDDED / "digits.safetensors"
N_SUBNETS = int(re.search(r"(\d+) subnets, \d+ seeds alone", CARD)[1])  # type: ignore[index]


def card_row(name: str) -> list[float]:
    """MACs, parameters and inherited accuracy that the card states."""
    line = next(line for line in CARD.splitlines() if line.startswith(f"| {name} |"))
    return [float(cell.replace(",", "")) for cell in line.split("|")[2:5]]


@pytest.mark.parametrize(("name", "index"), [("smallest", 0), ("median", N_SUBNETS // 2), ("largest", -1)])
def test_the_shipped_weights_reach_what_the_card_says(name: str, index: int):
    supernet, row = load_supernet("digits"), chosen_subnets(Digits.search_space(), N_SUBNETS)[index]
    macs, params, top1 = card_row(name)
    assert macs_cost(Digits.search_space())(row[None])[0] == macs
    assert params_cost(Digits.search_space())(row[None])[0] == params
    accuracy = evaluate(supernet, row, Digits.data())
    assert (accuracy.n_images, accuracy.n_calibration) == (600, 177)
    # Another CPU rounds differently: a few of 600 images may fall to the other side.
    assert accuracy.value == pytest.approx(top1, abs=0.6)


def test_the_card_states_the_rank_correlation():
    tau, rho = (float(re.search(rf"{name} (-?\d\.\d+)", CARD)[1]) for name in ("tau", "rho"))  # type: ignore[index]
    assert 0 < tau <= rho < 1


def test_the_shipped_checkpoint_is_small_and_says_how_it_was_made():
    assert CHECKPOINT.stat().st_size <= 1.5e6
    with safe_open(CHECKPOINT, "pt") as file:
        training = json.loads(file.metadata()["training"])
    assert training["fingerprint"] == Digits.search_space().fingerprint
    assert training["settings"]["seed"] == 0


def test_larger_subnets_are_better_on_images_no_choice_was_based_on():
    supernet, data = load_supernet("digits"), Digits.data()

    class OnTest:
        metrics, labels = data.metrics, data.labels
        calibration = data.calibration
        validation = data.test

    found = []
    for row in chosen_subnets(Digits.search_space(), N_SUBNETS)[[0, -1]]:
        subnet = supernet.extract(row)
        recalibrate(subnet, data.calibration(subnet.inputs))
        found.append(measure_accuracy(subnet, OnTest())[0])
    assert found[0] + 3 < found[1]
