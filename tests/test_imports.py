"""Every module can be imported, and `import hwnas` stays light."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import hwnas


def test_every_module_can_be_imported() -> None:
    names = [module.name for module in pkgutil.walk_packages(hwnas.__path__, "hwnas.")]
    assert len(names) > 100
    for name in names:
        importlib.import_module(name)


def test_the_package_and_its_command_line_load_nothing_heavy() -> None:
    code = "import sys, hwnas, hwnas.cli; print([m for m in ('torch', 'pymoo', 'matplotlib', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
