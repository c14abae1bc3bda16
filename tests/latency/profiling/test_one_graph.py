"""What is timed is what is exported: one graph, with the same sizes left open.

Runtimes fuse by what they know of sizes: with a fixed batch onnxruntime's CPU provider runs an encoder's linear maps in
another way.
"""

from __future__ import annotations

from collections import Counter
from inspect import getclosurevars
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwnas.graph import Model
from hwnas.io import Journal
from hwnas.latency import Anchor, Device, get_device, measure_subnets
from hwnas.latency.profiling._attribute import attribute
from hwnas.latency.profiling._plain_check import check_by_plain_process
from hwnas.latency.profiling._timer import model_of
from hwnas.latency.timing._plain import session_of
from hwnas.latency.timing._runtime import OnnxRuntime
from hwnas.space import macs_cost
from hwnas.supernet import Supernet, export_onnx, load_supernet
from tests.latency.fakes import FakeRuntime

CPU = Device("cpu", "CPUExecutionProvider")
KINDS = ["digits", "bert", "vit"]


@pytest.fixture(scope="module", params=KINDS)
def supernet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Supernet:
    if request.param == "digits":
        return load_supernet("digits")
    pytest.importorskip("transformers", reason="it writes the folder")
    from tests.supernet.hf.conftest import save, save_images  # needs transformers

    folder = tmp_path_factory.mktemp(request.param)
    (save if request.param == "bert" else save_images)(folder, request.param)
    return load_supernet(f"hf:{folder}")


@pytest.fixture(scope="module")
def exported(supernet: Supernet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    row = supernet.space.sample(1, np.random.default_rng(0))[0]
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(supernet.extract(row), path)
    return path


def test_measured_and_profiled_networks_are_the_exported_graph(
    supernet: Supernet, exported: Path, tmp_path: Path
) -> None:
    space = supernet.space
    x = space.sample(1, np.random.default_rng(0))
    runtime = FakeRuntime({layer.key: 10**6 for layer in space.layers().values()})
    measure_subnets(CPU, space, x, tmp_path / "j", sessions=1, runtime=runtime)
    assert runtime.opened
    for model in [*runtime.opened, model_of(CPU, "fp32")(space.network(x[0]))]:
        assert graph(onnx.load_model_from_string(model.content)) == graph(onnx.load(exported))
        assert sizes(model) == sizes(Model.read(exported))


def test_other_sizes_than_batch_and_length_are_not_open(exported: Path) -> None:
    for value in onnx.load(exported).graph.input:
        batch, *others = [size.dim_param or size.dim_value for size in dims(value)]
        assert batch == "N"
        assert others == ["length"] or all(isinstance(size, int) for size in others)


def test_files_for_the_plain_process_are_the_exported_graph(supernet: Supernet, tmp_path: Path) -> None:
    space = supernet.space
    anchor = Anchor(space.network(space.sample(1, np.random.default_rng(0))[0]), 1.0)
    seen: list[tuple[list[bytes], list[bytes], list[str]]] = []

    def timer(_: Device, files: list[Path], __: Path) -> list[tuple[float, float]]:
        seen.extend(graph(onnx.load(file)) for file in files)
        return [(1.0, 1.0)] * len(files)

    with Journal(tmp_path / "j", {}) as journal:
        check_by_plain_process(CPU, macs_cost(space), anchor, model_of(CPU, "fp32"), journal, seed=0, timer=timer)
    smallest = space.network(macs_cost(space).minimum()[1])
    assert seen[0] == graph(onnx.load_model_from_string(model_of(CPU, "fp32")(smallest).content))


def test_the_plain_process_runs_files_at_the_sizes_that_are_timed(exported: Path) -> None:
    asked = {"threads": 1, "session_config": {}, "provider": CPU.provider, "options": {}, "batch": 2}
    run = session_of(str(exported), asked)
    fed = getclosurevars(run).nonlocals["feed"]
    wanted = Model.read(exported, batch=2).inputs
    assert {name: array.shape for name, array in fed.items()} == {each.name: each.shape for each in wanted}
    assert len(run()[0]) == 2


def test_providers_that_take_fixed_sizes_get_them(supernet: Supernet) -> None:
    network = supernet.space.network(supernet.space.sample(1, np.random.default_rng(0))[0])
    for kind in ("coreml", "qnn"):
        model = model_of(Device(kind, f"{kind} provider", batch=2), "fp32")(network)
        found = onnx.load_model_from_string(model.content).graph
        assert all(size.dim_value for value in found.input for size in dims(value))
        assert [dims(value)[0].dim_value for value in found.input] == [2] * len(found.input)


def test_a_profile_shows_every_layer_of_it(supernet: Supernet) -> None:
    network = supernet.space.network(macs_cost(supernet.space).maximum()[1])
    session = OnnxRuntime(get_device("cpu")).profiled(model_of(CPU, "fp32")(network))
    session.run()
    (run,) = session.finish()
    nodes = [node for node, _ in run]
    owners = attribute(nodes, [slot for slot, _ in network])
    assert owners is not None
    fused = Counter(owner for owner, node in zip(owners, nodes, strict=True) if node.startswith("SkipLayer"))
    assert len(set(fused.values())) <= 1  # as many in each layer


def graph(model: onnx.ModelProto) -> tuple[list[bytes], list[bytes], list[str]]:
    """Nodes; inputs and outputs; names of the weights, whose values are others."""
    g = model.graph
    ends = [each.SerializeToString() for each in (*g.input, *g.output, *g.value_info)]
    return [n.SerializeToString() for n in g.node], ends, sorted(t.name for t in g.initializer)


def dims(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return list(value.type.tensor_type.shape.dim)


def sizes(model: Model) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(each.name, each.element, each.shape) for each in model.inputs]
