"""Every module can be imported, and `import hwnas` stays light."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import hwnas


def test_every_module_can_be_imported() -> None:
    names = [module.name for module in pkgutil.walk_packages(hwnas.__path__, "hwnas.")]
    assert len(names) > 100
    for name in names:
        importlib.import_module(name)


@pytest.mark.parametrize("package", ["hwnas", "hwnas.supernet", "hwnas.supernet.onnx", "hwnas.testing"])
def test_names_that_load_when_asked_for_are_those_that_type_checkers_see(package: str) -> None:
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
    seen = {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names}
    public = {name for name in module.__all__ if not name.startswith("__")}
    assert public == seen - {"TYPE_CHECKING", "annotations", "lazily"}
    assert dir(module) == sorted(module.__all__)
    assert all(getattr(module, name) is not None for name in public)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'absent'"):
        module.absent  # noqa: B018


@pytest.mark.parametrize(
    ("modules", "unloaded"),
    [
        ("hwnas, hwnas.cli", "torch pymoo matplotlib sklearn scipy pandas onnx"),
        ("hwnas.report, hwnas.search, hwnas.latency, hwnas.predictor", "torch pymoo matplotlib sklearn scipy onnx"),
        ("hwnas.supernet, hwnas.study", "torch onnx"),
    ],
)
def test_what_is_heavy_is_loaded_where_it_is_used(modules: str, unloaded: str) -> None:
    code = f"import sys, {modules}; print(*(set({unloaded.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_onnxruntime_tells_nobody_of_the_networks_that_are_run(tmp_path: Path) -> None:
    """Where it does, it keeps a name for this machine in the folder of temporary files."""
    model = tmp_path / "model.onnx"
    relu = helper.make_node("Relu", ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(helper.make_graph([relu], "g", [x], [y]), ir_version=8, opset_imports=[opset]), model)
    kept = tmp_path / "kept"
    kept.mkdir()
    script = f"import hwnas, onnxruntime; onnxruntime.InferenceSession({str(model)!r})"
    silenced = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS"}
    told = {name: value for name, value in os.environ.items() if name not in silenced} | {"TMPDIR": str(kept)}
    subprocess.run([sys.executable, "-c", script], env=told, check=True, timeout=60)
    assert not [*kept.iterdir()]
