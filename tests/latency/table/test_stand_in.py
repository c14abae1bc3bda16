"""Tables of a space serve the same space with another number of classes: only the head is estimated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hwnas.errors import TableError
from hwnas.latency import LatencyTable, Row, get_device
from hwnas.space import SearchSpace, get_space

DIGITS, SEVEN = get_space("digits"), get_space("digits-c7")


def table(space: SearchSpace) -> LatencyTable:
    rows = [Row(key, layer.macs / 1e6, 0.1, 0.2, 9, layer.macs) for key, layer in space.layers().items()]
    anchor = {"arch": DIGITS.decode(np.zeros(DIGITS.n_genes, dtype=np.int16)), "median_ms": 2.5}
    facts = {"anchor": anchor, "interval": {"plus_minus_pct": 3.0}, "validation": {"mape_pct": 1.0}}
    return LatencyTable.of(get_device("cpu"), rows, {space.name: facts})


def test_all_but_the_head_is_the_same_sum():
    of_digits = table(DIGITS)
    x = DIGITS.sample(30, np.random.default_rng(0))
    rows = of_digits.rows
    for row, ten, seven in zip(x, of_digits.cost(DIGITS)(x), of_digits.cost(SEVEN)(x), strict=True):
        head = DIGITS.network(row)[-1][1]
        read = sum(math.prod(op.in_shape) for op in head.ops)
        share = (64 * 7 + read) / (64 * 10 + read)
        assert seven == pytest.approx(ten - (1 - share) * rows["fp32", head.key, ""].median_ms)


def test_estimates_are_named_and_give_way_to_rows():
    of_digits = table(DIGITS)
    assert of_digits.estimated(DIGITS) == []
    estimated = of_digits.estimated(SEVEN)
    assert len(estimated) == len({layer.key for layer in SEVEN.layers().values()} - set(DIGITS.layers()))
    assert all(key.endswith("-o7") for key in estimated)
    own = of_digits.joined(table(SEVEN))
    assert own.estimated(SEVEN) == []
    x = SEVEN.sample(5, np.random.default_rng(1))
    assert own.cost(SEVEN)(x) == pytest.approx(table(SEVEN).cost(SEVEN)(x))


def test_what_is_known_of_the_space_holds_for_it():
    of_digits = table(DIGITS)
    assert of_digits.plus_minus(SEVEN) == of_digits.plus_minus(DIGITS)
    assert of_digits.validation(SEVEN) == {"mape_pct": 1.0}
    anchor = of_digits.anchor(SEVEN)
    assert anchor is not None
    assert anchor.network[-1][1].key.endswith("-o10")  # the network that was timed
    assert of_digits.covered(SEVEN.restrict(r=[8, 16])).name == "digits-c7"


def test_other_missing_rows_are_still_missed():
    of_digits = table(DIGITS.restrict(r=8))
    with pytest.raises(TableError, match="no row for"):
        of_digits.cost(SEVEN.restrict(r=16))
    assert of_digits.covered(SEVEN).input_values == {"r": [8]}
