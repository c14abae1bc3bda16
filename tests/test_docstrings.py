"""Every public definition says what it is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import hwnas


def public_definitions(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Functions and classes whose names are public, and the public methods and properties of those classes."""
    for name, found in vars(module).items():
        if name.startswith("_") or getattr(found, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(found) or inspect.isclass(found):
            yield name, found
        for part, member in vars(found).items() if inspect.isclass(found) else ():
            if not part.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
                yield (
                    f"{name}.{part}",
                    getattr(found, part),
                )  # by way of the class: overrides share what their base says


def test_every_public_definition_has_a_docstring() -> None:
    modules = [importlib.import_module(each.name) for each in pkgutil.walk_packages(hwnas.__path__, "hwnas.")]
    found = [(f"{m.__name__}.{name}", inspect.getdoc(each)) for m in modules for name, each in public_definitions(m)]
    assert len(found) > 900
    assert [name for name, text in found if not text] == []
    # What dataclasses write by themselves is no docstring.
    assert [name for name, text in found if text and text.startswith(f"{name.rpartition('.')[2]}(")] == []
