"""Arguments as users give them: lists of parts, whole numbers, names."""

from __future__ import annotations

import os
from numbers import Integral, Number

from hwnas.errors import DataError


def parts_of(text: str, said: str) -> list[str]:
    """The parts of a comma-separated list.

    Args:
        text: the list.
        said: the text before it, as typed: ``"--fix r="``.

    Raises:
        DataError: a part is empty.
    """
    parts = [part.strip() for part in text.split(",")]
    left = [part for part in parts if part]
    if not left:
        raise DataError(f"{said}{text}".rstrip(), "it names nothing", "name something, or leave the option out")
    if len(left) < len(parts):
        raise DataError(f"{said}{text}", "a part between commas is empty", f"write {said}{','.join(left)}")
    return parts


def as_typed(value: object) -> str:
    """A value as a user would type it: ``0`` for numpy's 0 too, whose repr is ``np.int64(0)``."""
    return str(value) if isinstance(value, Number) else repr(value)


def is_whole(value: object, least: int) -> bool:
    """Whether ``value`` is a whole number of at least ``least``; True and False are none."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least


def check_whole(name: str, value: object, least: int) -> None:
    """Raise DataError unless `is_whole`."""
    if not is_whole(value, least):
        rule, example = f"it is a whole number, {least} or more", max(least, 20)
        raise DataError(f"{name} {as_typed(value)}", rule, f"write for example {example}")


def checked_name(name: str, value: object, example: str) -> str:
    """``value`` as text; raises DataError if it is neither a name nor a path, or empty."""
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise DataError(f"{name} {value!r}", "it is a name or a path", f'write for example "{example}"')
    return str(value)
