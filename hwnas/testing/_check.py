"""What a kit is made of: rules that hold or raise AssertionError, whatever runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Check = Callable[..., None]
"""One rule, by its name and docstring; its first argument is what is checked."""


def check_all(checks: Sequence[Check], subject: Any, **more: Any) -> None:
    """Run a kit.

    Args:
        checks: the kit, ``SPACE_CHECKS`` say.
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
    """Raise AssertionError unless something holds; ``python -O`` runs it too, unlike a bare assert."""
    if not holds:
        raise AssertionError(said)


@contextmanager
def refused(error: type[Exception], *words: str) -> Iterator[None]:
    """What is done within must raise ``error``, with all of these words in its message."""
    try:
        yield
    except error as raised:
        for word in words:
            require(word in str(raised), f"the error does not say {word!r}: {raised}")
        return
    raise AssertionError(f"no {error.__name__} was raised{f' that says {words[0]!r}' if words else ''}")
