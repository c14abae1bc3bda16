"""Tests use what users use: a name that its room offers is imported from there."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Modules of hwnas that a file imports from, and what."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hwnas."):
            yield from ((str(node.module), alias.name) for alias in node.names)


def test_private_modules_are_imported_for_private_names_alone() -> None:
    found = []
    for folder in ("tests", "benchmarks", "examples"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            for module, name in imported(path):
                public, private, _ = module.partition("._")
                rooms = [public.rsplit(".", n)[0] for n in range(public.count("."))]
                if private and any(name in getattr(importlib.import_module(room), "__all__", ()) for room in rooms):
                    found.append(f"{path.relative_to(REPOSITORY)}: {module}.{name}")
    assert found == []
