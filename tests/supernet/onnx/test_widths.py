"""Which channels inside a slot can be reduced."""

from __future__ import annotations

from hwnas.space import OpList
from hwnas.supernet.onnx._widths import groups


def sizes(ops: OpList) -> list[int]:
    return [group.size for group in groups(ops.ops[0].in_shape, ops.ops)]


def test_channels_may_be_last_in_a_whole_slot() -> None:
    """As in blocks of ConvFormer, whose residual stream has them last."""
    ops = OpList((4, 4, 8))
    inner = ops.act("act", ops.linear("expand", ops.layer_norm("norm", 0), 32), "gelu")
    ops.add("add", 0, ops.linear("project", inner, 8))
    assert sizes(ops) == [32]


def test_a_gate_per_pixel_lets_channels_pass() -> None:
    ops = OpList((8, 4, 4))
    inner = ops.conv("expand", 0, 24)
    gate = ops.conv("gate", 0, 1, 3)
    ops.conv("project", ops.mul("mul", inner, gate), 8)
    assert sizes(ops) == [24]


def test_parts_of_a_join_are_reduced_each_for_itself() -> None:
    """Where a slice cuts an output, it is two groups; where a sum adds a join to it, as many as are joined."""
    ops = OpList((8, 4, 4))
    whole = ops.conv("whole", 0, 20)
    halves = [ops.slice(f"part{a}", whole, a, b) for a, b in ((0, 12), (12, 20))]
    joined = ops.concat("joined", ops.conv("deep", halves[0], 12, 3), halves[1])
    added = ops.add("added", joined, ops.conv("side", 0, 20))
    ops.conv("project", added, 8)
    assert sizes(ops) == [12, 8, 12]


def test_groups_that_do_not_fit_a_part_of_a_join_fix_it() -> None:
    ops = OpList((8, 4, 4))
    joined = ops.concat("joined", ops.conv("a", 0, 6), ops.conv("b", 0, 10))
    mixed = ops.conv("mixed", joined, 16, 3, groups=4)
    ops.conv("project", mixed, 8)
    assert sizes(ops) == []
