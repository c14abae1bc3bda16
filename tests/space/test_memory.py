"""Peak memory against hand counts, brute force over rows, and an independent simulation of buffers."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from hwnas.errors import InfeasibleError, SpaceError
from hwnas.search import Constraint, Objective, Problem
from hwnas.space import LayerSpec, OpList, PeakMemory, activation_peak, get_space, macs_cost

SHAPE = (4, 8, 8)
SIZE = prod(SHAPE)


def _layer(ops: OpList) -> LayerSpec:
    return LayerSpec(f"test-{id(ops)}-{len(ops.ops)}", SHAPE, tuple(ops.ops))


def test_activations_write_over_their_input() -> None:
    ops = OpList(SHAPE)
    ops.conv("conv", 0, 4, 3, act="hswish")
    assert activation_peak(_layer(ops)) == 2 * SIZE


def test_a_residual_keeps_the_input_alive() -> None:
    ops = OpList(SHAPE)
    x = ops.conv("expand", 0, 24, act="relu")
    x = ops.conv("depthwise", x, 24, 3, groups=24, act="relu")
    ops.conv("project", x, 4)
    plain = activation_peak(_layer(ops))
    assert plain == 12 * SIZE  # expanded twice; the input is gone
    ops.add("residual", 3 + 2, 0)
    assert activation_peak(_layer(ops)) == 13 * SIZE


def test_a_projection_writes_onto_what_it_is_added_to() -> None:
    ops = OpList(SHAPE)
    ops.add("residual", ops.conv("second", ops.conv("first", 0, 4, 3), 4), 0)
    assert activation_peak(_layer(ops)) == 2 * SIZE
    ops = OpList(SHAPE)
    ops.add("residual", ops.conv("conv", 0, 4, 3), 0)  # the sum still reads its input
    assert activation_peak(_layer(ops)) == 2 * SIZE
    ops = OpList(SHAPE)
    y = ops.conv("second", ops.conv("first", 0, 4, 3), 4)
    ops.add("twice", ops.add("residual", y, 0), y)  # the input is read again: the sum needs memory of its own
    assert activation_peak(_layer(ops)) == 3 * SIZE


def test_a_gate_is_applied_in_place() -> None:
    ops = OpList(SHAPE)
    gate = ops.conv("gate", ops.global_pool("pool", 0), 4, bias=True, bn=False, act="hsigmoid")
    ops.mul("scale", 0, gate)
    assert activation_peak(_layer(ops)) == SIZE + 2 * 4


@pytest.mark.parametrize("name", ["ofa_mbv3_w1.0", "ofa_proxyless_w1.3", "ofa_resnet50", "digits"])
def test_the_peak_of_a_subnet_is_its_largest_layers(name: str) -> None:
    space = get_space(name)
    space = space.restrict(**{name: [values[0], values[-1]] for name, values in space.input_values.items()})
    peak = PeakMemory(space)
    x = space.sample(200, np.random.default_rng(0), distinct_uniform=False)
    expected = [max(4 * activation_peak(layer) for _, layer in space.network(row)) for row in x]
    assert peak(x).tolist() == expected
    assert (PeakMemory(space, batch=3)(x) == 3 * peak(x)).all()
    # A layer needs at least its input and output, and at most everything it computes.
    for layer in space.layers().values():
        everything = prod(layer.input_shape) + sum(prod(op.shape) for op in layer.ops)
        assert max(prod(layer.input_shape), prod(layer.output_shape)) <= activation_peak(layer) <= everything
    smallest, row = peak.minimum()
    assert peak(row[None])[0] == smallest <= peak(x).min()


def test_budgets_below_the_exact_minimum_are_refused() -> None:
    space = get_space("digits")
    peak = PeakMemory(space)
    smallest, _ = peak.minimum()
    objective = Objective("macs", "MACs", maximise=False, fn=macs_cost(space))
    Problem(space, [objective], [Constraint("memory_bytes", "B", peak, smallest)]).refuse_infeasible()
    with pytest.raises(InfeasibleError, match=r"memory_bytes <= .* kB: no subnet of digits .* the smallest needs"):
        Problem(space, [objective], [Constraint("memory_bytes", "B", peak, smallest - 1)]).refuse_infeasible()


def test_rows_outside_the_domain_are_refused() -> None:
    space = get_space("digits")
    part = space.restrict(r=8)
    outside = space.sample(50, np.random.default_rng(0))
    with pytest.raises(SpaceError, match="outside the part"):
        PeakMemory(part)(outside[~part.contains(outside)])
