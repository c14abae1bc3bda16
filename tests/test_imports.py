"""Every module can be imported, and `import hwnas` stays light."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

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
