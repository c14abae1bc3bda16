"""Errors say what, why and what to do, on one line."""

from __future__ import annotations

import inspect

import pytest

from hwnas import errors


def test_every_error_is_a_hwnas_error_and_documented():
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    assert all(issubclass(c, errors.HwnasError) and c.__doc__ for c in found)


def test_the_message_is_value_rule_and_remedy():
    error = errors.QuantityError("--latency 20", "a quantity needs a unit", "write 20ms")
    assert str(error) == "--latency 20: a quantity needs a unit; write 20ms"
    assert (error.value, error.rule, error.remedy) == ("--latency 20", "a quantity needs a unit", "write 20ms")


@pytest.mark.parametrize(
    ("name", "known", "remedy"),
    [
        ("nsga-2", ["nsga2", "linas"], "did you mean 'nsga2'?"),
        ("annealing", ["nsga2", "linas"], "known: linas, nsga2"),
        ("ofa_mbv3_w1", ["ofa_mbv3_w1.0", "ofa_mbv3_w1.2"], "did you mean 'ofa_mbv3_w1.0'?"),
        ("CPU", ["cpu", "cuda"], "did you mean 'cpu'?"),
        ("anything", [], "known: none"),
    ],
)
def test_unknown_names_get_a_suggestion_or_the_list(name, known, remedy):
    assert errors.UnknownNameError("searcher", name, known).remedy == remedy


def test_an_unknown_name_that_is_the_right_one_has_a_remedy_too():
    for name, remedy in (("cup", "did you mean 'cpu'? Or buy it"), ("phone", "known: cpu; or buy it")):
        assert errors.UnknownNameError("device", name, ["cpu"], "buy it").remedy == remedy
