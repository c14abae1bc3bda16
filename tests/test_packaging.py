"""What is imported is declared, what is declared is pinned, and every room is in a layer."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

OWN = {"hwnas", "tests", "benchmarks", "examples"}
UPSTREAM = {"ofa", "dynast"}
"""What our figures are checked against: installed without their requirements, which are out of date (see the Makefile)."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    read: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    return read


def name_of(requirement: str) -> str:
    """The normalised name in a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def imported(folder: str) -> Iterator[tuple[str, Path]]:
    """Packages of others that files of a folder import, however deep inside."""
    for path in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            else:
                continue
            for name in names:
                package = name.partition(".")[0]
                if package not in sys.stdlib_module_names and package not in OWN | UPSTREAM:
                    yield package, path


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("hwnas", ("gguf", "ray")), ("tests", ("test", "ray")), ("examples", ()), ("benchmarks", ("benchmarks",))],
)
def test_what_is_imported_is_declared(project: dict[str, Any], folder: str, extras: tuple[str, ...]) -> None:
    declared = {name_of(requirement) for requirement in project["project"]["dependencies"]}
    for extra in extras:
        declared |= {name_of(requirement) for requirement in project["project"]["optional-dependencies"][extra]}
    distributions = packages_distributions()
    for package, path in imported(folder):
        # Packages that are not installed are called as they are imported.
        names = {name_of(name) for name in distributions.get(package, [package])}
        assert names & declared, f"{path} imports {package}, which pyproject.toml does not declare"


def test_what_is_declared_is_used(project: dict[str, Any]) -> None:
    distributions, packages = packages_distributions(), {package for package, _ in imported("hwnas")}
    used = {name_of(name) for package in packages for name in distributions.get(package, [package])}
    assert {name_of(requirement) for requirement in project["project"]["dependencies"]} <= used


def test_what_is_declared_is_pinned_at_a_version_that_is_allowed(project: dict[str, Any]) -> None:
    pins = dict(line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {name_of(name): version for name, version in pins.items()}
    for requirement in project["project"]["dependencies"]:
        name, oldest = re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement).groups()  # type: ignore[union-attr]
        version = pinned[name_of(name)]
        assert numbers(version) >= numbers(oldest), requirement


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
