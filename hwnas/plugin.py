"""Loading users' objects: ``package.module:Name``, ``path/to/file.py:Name``, and entry points of installed packages."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from hwnas.errors import HwnasError
from hwnas.files import ends_in


def is_reference(name: str) -> bool:
    """Whether a name refers to an object in a module or file."""
    return ":" in name


def load_object(reference: str, kind: str, error: type[HwnasError]) -> object:
    """The object that ``module:Name`` or ``file.py:Name`` refers to.

    Args:
        reference: as typed.
        kind: of the object, for messages (``"supernet"``).
        error: class to raise.

    Raises:
        HwnasError: of class ``error``; the module cannot be imported, or has no such name.
    """
    where, _, name = reference.rpartition(":")
    path = Path(where)
    value = f"{kind} {reference!r}"
    if ends_in(path, ".py") and not path.is_file():
        raise error(value, f"there is no file {path}", "correct the path")
    if not ends_in(path, ".py") and Path(f"{path}.py").is_file() and os.sep in where:
        raise error(value, "a Python file is named with its .py", f"did you mean {where}.py:{name}?")
    try:
        if ends_in(path, ".py"):
            _make_importable(path.resolve().parent)
            module = _run(str(path.resolve()), path.stat().st_mtime_ns)
        else:
            _make_importable(Path.cwd())
            module = importlib.import_module(where)
    except (Exception, SystemExit) as problem:
        rule = f"{where} cannot be imported ({type(problem).__name__}: {problem})"
        raise error(value, rule, "correct it") from problem
    if not hasattr(module, name):
        rule = f"{where} has no {name}" if name else "there is no name after the colon"
        near = get_close_matches(name, vars(module), n=1)
        remedy = "write the name of a class, a function or a space after the colon"
        raise error(value, rule, f"did you mean {where}:{near[0]}?" if near else remedy)
    return getattr(module, name)


def load_entry(group: str, name: str, kind: str, error: type[HwnasError]) -> object | None:
    """The object that an installed package registers under ``name``; None if there is none.

    Raises:
        HwnasError: of class ``error``; the object cannot be loaded.
    """
    for entry in entry_points(group=group, name=name):
        try:
            return entry.load()  # type: ignore[no-any-return]
        except (Exception, SystemExit) as problem:
            rule = f"its plug-in {entry.value} cannot be loaded ({type(problem).__name__}: {problem})"
            raise error(f"{kind} {name!r}", rule, "reinstall or remove the plug-in") from problem
    return None


@contextmanager
def one_line_errors(value: str, step: str, error: type[HwnasError]) -> Iterator[None]:
    """Turn errors of a plug-in's code in this block into one line; a HwnasError says itself what is wrong.

    Args:
        value: the plug-in (``"supernet mine"``).
        step: what its code does (``"its data()"``).
        error: class to raise.
    """
    try:
        yield
    except HwnasError:
        raise
    except Exception as problem:
        raise error(value, f"{step} fails ({type(problem).__name__}: {problem})", "correct the plug-in") from problem


def _make_importable(folder: Path) -> None:
    """Add a folder to the end of ``sys.path``, so that modules which can be imported already take precedence."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@cache
def _run(path: str, _changed: int) -> ModuleType:
    """The module of a Python file, which runs again if the file has changed."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.setdefault(spec.name, module)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if known is module:
            del sys.modules[spec.name]
        raise
    return module
