"""Helpers of the kits, which run the checks and raise AssertionError if a rule does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Check = Callable[..., None]
"""One rule, stated by its name and docstring. The first argument is the subject."""


def check_all(checks: Sequence[Check], subject: Any, **more: Any) -> None:
    """Run a kit.

    Args:
        checks: the kit, such as ``SPACE_CHECKS``.
        subject: the object to check.
        more: further arguments of every check.

    Raises:
        AssertionError: a rule does not hold; a note names it.
    """
    for check in checks:
        try:
            check(subject, **more)
        except Exception as error:
            error.add_note(f"rule {check.__name__}: {(check.__doc__ or '').partition(chr(10))[0]}")
            raise


def require(holds: Any, message: str) -> None:
    """Raise AssertionError unless ``holds``; unlike ``assert``, ``python -O`` does not skip it."""
    if not holds:
        raise AssertionError(message)


@contextmanager
def refused(error: type[Exception], *words: str) -> Iterator[None]:
    """Require that the block raises ``error`` with all of these words in its message."""
    try:
        yield
    except error as raised:
        for word in words:
            require(word in str(raised), f"the error does not say {word!r}: {raised}")
        return
    raise AssertionError(f"no {error.__name__} was raised{f' that says {words[0]!r}' if words else ''}")
