"""ONNX models of subnets: the checker, shape inference and onnxruntime are the oracles."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from hwnas.errors import SpaceError, SupernetError
from hwnas.graph import IR_VERSION, build_model, weight_shapes
from hwnas.space import LayerSpec, OpList, SearchSpace, get_space, space_names

LAYERED = [name for name in space_names() if get_space(name).slots]


def _smallest(space: SearchSpace, r: int) -> list[tuple[str, LayerSpec]]:
    """A subnet of the lowest depths at resolution ``r``."""
    row = np.array([d[0] for d in space.restrict(r=r).domain])
    return space.network(space.canonical(row[None])[0])


def _resolution(space: SearchSpace, index: int) -> int:
    ((choice, *_),) = (values[index:] for values in space.input_values.values())
    assert isinstance(choice, int)
    return choice


def _run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input": x})
    return np.asarray(logits)


# The second resolution of each space (132, 10) makes odd feature maps on the way down, where rounding matters.
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", LAYERED)
def test_a_subnet_of_every_space_is_valid_and_runs(name: str, index: int) -> None:
    network = _smallest(get_space(name), _resolution(get_space(name), index))
    model = build_model(network)

    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == IR_VERSION
    assert len(model.graph.node) == sum(len(layer.ops) for _, layer in network)
    logits = _run(model, np.ones((2, *network[0][1].input_shape), dtype=np.float32))
    assert logits.shape == (2, *network[-1][1].output_shape)
    assert np.isfinite(logits).all()
    assert np.abs(logits).max() > 1e-3


@pytest.mark.parametrize("name", LAYERED)
def test_inferred_shapes_are_those_of_the_ops(name: str) -> None:
    network = _smallest(get_space(name), _resolution(get_space(name), 1))
    inferred = onnx.shape_inference.infer_shapes(build_model(network, batch=1), strict_mode=True)
    found = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in inferred.graph.value_info}
    for slot, layer in network:
        for op in layer.ops:
            if (value := f"{slot}/{op.name}") in found:
                assert found[value] == [1, *op.shape]
    assert len(found) == sum(len(layer.ops) for _, layer in network) - 1


def test_nodes_and_initializers_are_named_by_slot_and_op() -> None:
    network = _smallest(get_space("ofa_mbv3_w1.0"), 128)
    model = build_model(network)

    assert [n.name for n in model.graph.node] == [f"{slot}/{op.name}" for slot, layer in network for op in layer.ops]
    shapes = {i.name: tuple(i.dims) for i in model.graph.initializer}
    assert shapes == weight_shapes(network)
    assert shapes["blocks.1/expand.weight"] == (48, 16, 1, 1)
    assert shapes["blocks.1/expand.bias"] == (48,)
    assert "feature_mix_layer/conv.bias" not in shapes
    # A folded batch norm leaves one shift per channel; its scale is in the weight.
    n_norms = sum(math.prod(op.weights.get("bn.weight", (0,))) for _, layer in network for op in layer.ops)
    assert sum(np.prod(s) for s in shapes.values()) == sum(layer.params for _, layer in network) - n_norms


def test_given_weights_are_used_and_the_arithmetic_is_right() -> None:
    ops = OpList((2, 3, 3))
    x = ops.conv("conv", 0, 2, bias=True, bn=False, act="hswish")
    ops.linear("linear", ops.flatten("flatten", ops.global_pool("pool", x)), 1)
    layer = LayerSpec("tiny", (2, 3, 3), tuple(ops.ops))
    weights = {
        "a/conv.weight": np.eye(2, dtype=np.float32).reshape(2, 2, 1, 1),
        "a/conv.bias": np.array([1, -1], dtype=np.float32),
        "a/linear.weight": np.array([[1, 10]], dtype=np.float32),
        "a/linear.bias": np.array([0.5], dtype=np.float32),
    }
    model = build_model([("a", layer)], weights=weights)

    # hswish(1 + 1) = 2 * 5 / 6, hswish(1 - 1) = 0
    np.testing.assert_allclose(_run(model, np.ones((1, 2, 3, 3), np.float32)), [[2 * 5 / 6 + 0.5]], rtol=1e-6)
    with pytest.raises(SupernetError, match=r"a/linear.bias.*not given"):
        build_model([("a", layer)], weights={k: v for k, v in weights.items() if k != "a/linear.bias"})
    with pytest.raises(SupernetError, match=r"a/conv.bias: its shape is \(3,\), not \(2,\)"):
        build_model([("a", layer)], weights=weights | {"a/conv.bias": np.zeros(3, np.float32)})


def test_random_weights_follow_the_seed() -> None:
    network = _smallest(get_space("ofa_mbv3_w1.0"), 128)[:2]
    same = [build_model(network, seed=s).SerializeToString() for s in (1, 1, 2)]
    assert same[0] == same[1] != same[2]


def test_layers_of_one_shape_have_weights_of_their_own() -> None:
    """Where they are equal, they stay in the cache: a decoder seemed to take 63 % of its time."""
    layer = OpList((24, 600))
    layer.linear("wide", 0, 600)
    stacked = build_model([(f"layer.{i}", layer.layer("l")) for i in range(4)])
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in stacked.graph.initializer if tensor.dims[0] == 600]
    assert len(arrays) == 8
    for i, one in enumerate(arrays):
        assert not any(np.array_equal(one, other) for other in arrays[:i])
        assert 0.5 < one.std() / (math.sqrt(2 / 600) if one.ndim > 1 else 0.1) < 1.5, (
            "that activations neither vanish nor grow"
        )


def test_metadata_is_stored() -> None:
    model = build_model(_smallest(get_space("ofa_mbv3_w1.0"), 128)[:1], metadata={"arch": "{}"})
    assert {p.key: p.value for p in model.metadata_props} == {"arch": "{}"}


def test_layers_that_do_not_fit_together_are_refused() -> None:
    network = _smallest(get_space("ofa_mbv3_w1.0"), 128)
    with pytest.raises(SpaceError, match=r"layer blocks.2: it takes"):
        build_model([network[0], network[3]])
