"""Every module can be imported, and `import hwnas` stays light."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import hwnas


def test_every_module_can_be_imported() -> None:
    names = [module.name for module in pkgutil.walk_packages(hwnas.__path__, "hwnas.")]
    assert len(names) > 100
    for name in names:
        importlib.import_module(name)


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
