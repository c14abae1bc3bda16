"""Arguments as users give them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwnas.arguments import check_whole
from hwnas.errors import DataError


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (np.int64(0), "0"), (np.float64(2.5), "2.5"), (True, "True"), ("2", "'2'"), (None, "None")],
)
def test_what_is_no_whole_number_is_named_as_it_was_typed(value: object, shown: str) -> None:
    with pytest.raises(DataError, match=f"^evals {re.escape(shown)}: it is a whole number, 1 or more; "):
        check_whole("evals", value, 1)


@pytest.mark.parametrize("value", [1, np.int64(1), np.uint8(200)])
def test_whole_numbers_of_any_kind_pass(value: object) -> None:
    check_whole("evals", value, 1)
