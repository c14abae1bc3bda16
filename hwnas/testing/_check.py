"""Helpers of the kits: run the checks, and raise AssertionError where a rule does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Check = Callable[..., None]
"""One rule, by its name and docstring; its first argument is what is checked."""


def check_all(checks: Sequence[Check], subject: Any, **more: Any) -> None:
    """Run a kit.

    Args:
        checks: the kit, such as ``SPACE_CHECKS``.
        subject: what is checked.
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


def require(holds: Any, said: str) -> None:
    """Raise AssertionError unless ``holds``; unlike a bare assert, ``python -O`` does not skip it."""
    if not holds:
        raise AssertionError(said)


@contextmanager
def refused(error: type[Exception], *words: str) -> Iterator[None]:
    """The block must raise ``error``, with all of these words in its message."""
    try:
        yield
    except error as raised:
        for word in words:
            require(word in str(raised), f"the error does not say {word!r}: {raised}")
        return
    raise AssertionError(f"no {error.__name__} was raised{f' that says {words[0]!r}' if words else ''}")
