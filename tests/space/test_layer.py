"""LayerSpecs: shapes that chain, keys that mean what they say, counts by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space import OpList, get_space, space_names
from hwnas.space.families._blocks import bottleneck, mbconv, round_channels
from hwnas.space.ops import Add, Conv


@given(st.floats(1, 5000))
@settings(deadline=None)
def test_channels_are_rounded_to_the_nearest_multiple_of_eight(channels):
    rounded = round_channels(channels)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * channels)
    assert rounded - channels <= 8
    # Plain rounding, unless that lost more than a tenth.
    assert rounded in (nearest := 8 * max(1, math.floor(channels / 8 + 0.5)), nearest + 8)


def test_channels_of_published_networks():
    assert [round_channels(c * 1.2) for c in (16, 24, 40, 80, 112, 160, 960, 1280)] == [
        *(24, 32, 48, 96, 136, 192, 1152, 1536)
    ]
    assert [round_channels(round_channels(m) // 4) for m in (72, 144, 288, 1152)] == [24, 40, 72, 288]


@pytest.mark.parametrize("name", space_names())
def test_every_layer_of_every_subnet_is_a_row_of_the_table(name):
    space = get_space(name)
    rows = space.layers()
    for row in space.sample(20, np.random.default_rng(5), distinct_uniform=False):
        for _, layer in space.network(row):
            assert rows[layer.key] == layer


@pytest.mark.parametrize("name", space_names())
def test_ops_read_earlier_values_of_the_shape_they_state(name):
    for layer in get_space(name).layers().values():
        shapes = [layer.input_shape]
        for op in layer.ops:
            assert all(0 <= i < len(shapes) for i in op.inputs)
            assert op.in_shapes == tuple(shapes[i] for i in op.inputs)
            if isinstance(op, Conv):
                assert op.in_shape[0] % op.groups == 0
            if isinstance(op, Add):
                assert len(set(op.in_shapes)) == 1
            shapes.append(op.shape)
        assert len({op.name for op in layer.ops}) == len(layer.ops)


def test_macs_and_params_of_an_mbconv_by_hand():
    layer = mbconv((24, 56, 56), 40, 72, 5, 2, "relu", se=True, skip=False)
    hidden = 24
    convs = 24 * 72 * 56**2 + 72 * 25 * 28**2 + 72 * 40 * 28**2
    assert layer.macs == convs + 2 * 72 * hidden
    weights = 24 * 72 + 72 * 25 + 72 * 40 + 2 * 72 * hidden
    assert layer.params == weights + (72 + hidden) + 2 * (72 + 72 + 40)
    assert layer.output_shape == (40, 28, 28)


def test_a_bottleneck_pools_its_shortcut_only_when_it_shrinks():
    assert [op.name for op in bottleneck((64, 56, 56), 256, 64, 1, downsample=True).ops if "pool" in op.name] == []
    shrinking = bottleneck((256, 15, 15), 512, 128, 2, downsample=True)
    assert shrinking.output_shape == (512, 8, 8)
    assert [op.shape for op in shrinking.ops if op.name == "downsample.pool"] == [(256, 8, 8)]


def test_layers_are_equal_when_their_keys_are():
    ops = OpList((3, 8, 8))
    ops.conv("conv", 0, 8, 3, 2, bias=True, act="hswish")
    assert [op.name for op in ops.ops] == ["conv", "conv.hswish"]
    assert ops.channels(2) == 8
    same = [mbconv((24, 28, 28), 24, 72, 3, 1, "relu", se=False, skip=True) for _ in range(2)]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    assert same[0] != mbconv((24, 28, 28), 24, 72, 3, 1, "relu", se=False, skip=False)
