"""Batches fit the inputs of a network, or one line says how they do not."""

from __future__ import annotations

import re

import pytest
import torch

from hwnas.errors import DataError
from hwnas.space import TensorSpec
from hwnas.space.ops import LENGTH
from hwnas.task import DigitsData, Inputs, fitting

IMAGES = {"input": TensorSpec((1, 8, 8))}
FED = "and the network is fed float32 of shape (n, 1, 8, 8)"


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        (torch.zeros(3, 1, 8, 4), f"its input is float32 of shape (3, 1, 8, 4), {FED}"),
        (torch.zeros(3, 8, 8), f"its input is float32 of shape (3, 8, 8), {FED}"),
        (torch.zeros(3, 1, 8, 8).double(), f"its input is float64 of shape (3, 1, 8, 8), {FED}"),
        ({"pixels": torch.zeros(3, 1, 8, 8)}, "it has pixels, and the network is fed input, float32 of shape"),
        ({}, "it has nothing, and the network is fed input"),
    ],
)
def test_a_batch_that_does_not_fit_is_told_with_both_shapes(inputs: Inputs, complaint: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"a batch of DigitsData: {complaint}")):
        fitting(DigitsData(), inputs, IMAGES)


def test_an_open_axis_may_have_any_size() -> None:
    spec = TensorSpec((16, 4), "int64", axes=(LENGTH,))
    ids = torch.zeros(2, 5, 4, dtype=torch.int64)
    assert fitting(DigitsData(), {"ids": ids}, {"ids": spec}) == {"ids": ids}
    with pytest.raises(DataError, match=r"shape \(2, 5, 3\), and"):
        fitting(DigitsData(), {"ids": ids[..., :3]}, {"ids": spec})
