"""The kits find what is wrong: each subject here breaks one rule, and that rule is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hwnas.metric import BUILT_IN, QUALITY, Metric
from hwnas.search import SEARCHERS, Problem, SearchOptions
from hwnas.space import Gene, LayerSpec, OpList, SearchSpace, Shape, Slot
from hwnas.space.ops import Op
from hwnas.supernet import run
from hwnas.task import DigitsData, Estimate, InputsAt, top1
from hwnas.testing import (
    METRIC_CHECKS,
    OP_CHECKS,
    SEARCHER_CHECKS,
    SPACE_CHECKS,
    SUPERNET_CHECKS,
    TASK_CHECKS,
    Check,
    check_all,
)
from tests.contract.test_tasks_and_metrics import FED
from tests.contract.vit import Vit


def broken(checks: Sequence[Check], subject: object, **more: object) -> dict[str, str]:
    """Rules that do not hold, and what is said of them."""
    found = {}
    for check in checks:
        try:
            check(subject, **more)
        except AssertionError as error:
            found[check.__name__] = str(error)
    return found


def layer(width: int) -> LayerSpec:
    ops = OpList((4,))
    ops.linear("linear", 0, width)
    return ops.layer("the-same-for-all")


def test_a_key_that_does_not_tell_layers_apart() -> None:
    space = SearchSpace("forgetful", [Gene("w", None, (2, 3))], [Slot("only", (0,), layer)])
    said = broken(SPACE_CHECKS[:-2], space)
    assert said == {
        "one_key_is_one_layer": "key the-same-for-all stands for two different layers: put their difference into it"
    }


@pytest.mark.parametrize(
    ("name", "gene", "complaint"),
    [
        ("", Gene("w", None, (2, 3)), "'' cannot be typed"),
        ("my space", Gene("w", None, (2, 3)), "'my space' cannot be typed, or be part of a file's name"),
        ("a/b", Gene("w", None, (2, 3)), "'a/b' cannot be typed"),
        ("odd", Gene("", None, (2, 3)), "--fix '=2' is not read: fix =2: it reads GENE=VALUE"),
        ("odd", Gene("w=1", None, (2, 3)), "--fix 'w=1=2' is not read"),
        ("odd", Gene(" w", None, (2, 3)), "--fix ' w=2' is not read"),
        ("odd", Gene("w", None, ("a,b", "c")), "--fix 'w=a,b' is not read"),
        ("odd", Gene("w", None, ("3", "4")), "--fix 'w=3' is not read: fix w=3: choices of w in odd are 3, 4"),
        ("odd", Gene("arch", None, (2, 3)), "a gene is named 'arch', as another column of a CSV"),
        ("odd", Gene("latency_ms", None, (2, 3)), "a gene is named 'latency_ms'"),
    ],
)
def test_names_that_a_command_or_csv_cannot_carry(name: str, gene: Gene, complaint: str) -> None:
    said = broken(SPACE_CHECKS, SearchSpace(name, [gene], []))
    assert said["names_can_be_typed"].startswith(complaint)


def test_all_checks_at_once_name_the_rule() -> None:
    space = SearchSpace("forgetful", [Gene("w", None, (2, 3))], [Slot("only", (0,), layer)])
    with pytest.raises(AssertionError) as error:
        check_all(SPACE_CHECKS, space)
    assert error.value.__notes__ == [
        "rule one_key_is_one_layer: Layers of one key have the same ops: latency tables know layers only by their keys."
    ]


@dataclass(frozen=True)
class Halved(Op):
    """States half of the channels that it gives."""

    @property
    def shape(self) -> Shape:
        return (self.in_shape[0] // 2, *self.in_shape[1:])


@run.register
def _halved(_op: Halved, x: Sequence[Tensor], _at: Any) -> Tensor:
    return x[0] * 2


def test_an_op_that_states_another_shape() -> None:
    ops = OpList((4, 3))
    ops.apply(Halved, "half", 0)
    said = broken(OP_CHECKS[:1], ops.layer("half"))
    assert said == {"values_have_their_shapes": "op half states (2, 3) and gives (4, 3)"}


class Leaky(Vit):
    """Every subnet takes the whole of one tensor along."""

    def weights(self, row: np.ndarray) -> dict[str, Tensor]:
        found = super().weights(row)
        name = "head/linear.bias"
        return {**found, name: found[name] + 0 * self.tensors["blocks.3/project.bias"].sum()}


def test_a_supernet_whose_subnets_change_what_they_do_not_use() -> None:
    said = broken(SUPERNET_CHECKS, Leaky.random(0))
    assert set(said) == {"gradients_reach_what_a_subnet_uses"}
    assert "blocks.3/project.bias" in said["gradients_reach_what_a_subnet_uses"]


class Repeating:
    """A searcher that asks for its first row again and again."""

    def __init__(self, problem: Problem, options: SearchOptions) -> None:
        inner = SEARCHERS["random"](problem, options)
        self.problem, self.options, self.tell, self.front = problem, options, inner.tell, inner.front
        self.inner, self.first, self.left = inner, inner.ask(1), 3

    def ask(self, n: int) -> np.ndarray:
        self.left -= 1
        return self.first if self.left >= 0 else self.inner.ask(n)


def test_a_searcher_that_repeats_itself() -> None:
    said = broken(SEARCHER_CHECKS, Repeating)
    assert said["rows_are_canonical_and_distinct"] == "a row came twice"
    assert "pending_rows_are_not_asked_for_again" in said


class Restless(DigitsData):
    """Draws other samples each time."""

    def training_batch(self, step: int, seed: int) -> tuple[InputsAt, Tensor]:  # noqa: ARG002
        return super().training_batch(step, int(torch.randint(1000, ())))


def test_a_task_whose_training_cannot_be_resumed() -> None:
    said = broken(TASK_CHECKS, Restless(), specs=FED["digits"])
    assert set(said) == {"training_batches_can_be_drawn_again"}


class Certain(DigitsData):
    """Its score claims to be exact."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = {"top1": lambda scored: Estimate(top1(scored), std=0)}


def test_a_score_whose_standard_error_is_none() -> None:
    said = broken(TASK_CHECKS, Certain(), specs=FED["digits"])
    assert said == {"metrics_are_registered_and_score": "standard errors of top1 are [0.0, 0.0]"}


@pytest.mark.parametrize(
    ("metric", "rule"),
    [
        (replace(QUALITY, direction="min"), "names_are_its_own"),
        (Metric("mine", "row", "max", label="Mine"), "names_are_its_own"),
        (Metric("mine", "top1_std", "max", label="Mine"), "names_are_its_own"),
        (Metric("mine", "my\ncolumn", "max", label="Mine"), "names_are_typed_as_one_word"),
        (Metric("my metric", "mine", "max", label="Mine"), "names_are_typed_as_one_word"),
        (Metric("mine", "mine", "max", lowest=1, highest=1, label="Mine"), "it_has_a_direction_and_possible_values"),
        (Metric("mine", "mine", "max", label="Mine", show="{:.20f}".format), "values_are_printed_short"),
    ],
)
def test_metrics_that_break_a_rule(metric: Metric, rule: str) -> None:
    assert set(broken(METRIC_CHECKS, metric)) == {rule}


def test_a_unit_that_hwnas_does_not_know_is_typed_as_a_plain_number(monkeypatch: pytest.MonkeyPatch) -> None:
    power = Metric("power", "power_w", "min", "W", label="Power", lowest=10.0)
    monkeypatch.setattr("hwnas.metric._registry.metrics", lambda: {**BUILT_IN, "power": power})
    assert not broken(METRIC_CHECKS, power)
