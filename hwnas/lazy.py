"""Lazy loading of a package's public names, so that importing the package stays fast.

The names are written twice: under ``TYPE_CHECKING`` for type checkers and editors, and in a call of `lazily` for Python::

    if TYPE_CHECKING:
        from hwnas.supernet._base import Supernet, centre

    __getattr__, __dir__ = lazily(__name__, {"hwnas.supernet._base": "Supernet centre"})
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__`` (PEP 562): names load at first use, and completion shows ``__all__``.

    Args:
        package: name of the package.
        homes: for each module its public names, separated by spaces.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def getattr_(name: str) -> object:
        if name not in home:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(import_module(home[name]), name)

    return getattr_, lambda: sorted(sys.modules[package].__all__)
