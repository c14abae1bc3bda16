"""The edge of the program: errors become one line on stderr and an exit code.

Exit codes: 0 done; 1 done, with a bad outcome; 2 bad input; 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import typer

from hwnas.cli._console import notice
from hwnas.errors import HwnasError, NotHeldError
from hwnas.files import UNWRITTEN, ends_in

BAD_OUTCOME = 1
BAD_INPUT = 2
INTERRUPTED = 130

OUT_OF_REACH = {errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}
"""Error numbers that may arise from looking at a path."""

NETWORK = ("--supernet", "--space")
"""Options that name a network, the more particular one first; most commands have one of them."""

P = ParamSpec("P")
R = TypeVar("R")


def guarded(command: Callable[P, R], spelled: Callable[[str], str] = str) -> Callable[P, R]:
    """``command``, with HwnasErrors, as ``spelled``, and Ctrl-C turned into one line and an exit code.

    An interrupted command can add what is kept:
    ``raise KeyboardInterrupt("x.jsonl keeps 12 of 40 timings; the same command resumes")``.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except NotHeldError as error:
            notice(str(error))
            raise typer.Exit(BAD_OUTCOME) from error
        except HwnasError as error:
            say_error(spelled(str(error)))
            raise typer.Exit(BAD_INPUT) from error
        except KeyboardInterrupt as error:
            say_error(f"interrupted: {error}" if error.args else "interrupted")
            sys.exit(INTERRUPTED)

    return run


def as_typed(message: str, options: Mapping[str, Any]) -> str:
    """An error with the option that it begins with: the library, which has none, names ``images 300`` what was ``--images 300``.

    Args:
        message: of an error.
        options: values by option (``--images``).
    """
    for option, value in options.items():
        words = option.removeprefix("--").replace("-", " ")
        given = value if isinstance(value, list) else [] if value is None or value is False else [value]
        said = [f"{words}: ", *(f"{words} {each}: " for each in given), *(f"{words} {each!r}: " for each in given)]
        if given and message.startswith(tuple(said)):
            return option + message.removeprefix(words)
    return message


def say_error(message: str) -> None:
    """Write an error to stderr as one line, without line breaks."""
    notice(f"error: {' '.join(message.split())}")


def exit_with(failures: Sequence[tuple[str, HwnasError]], devices: int) -> None:
    """End a command of several devices if some failed, after a line for each.

    Raises:
        HwnasError: the only device failed.
        typer.Exit: with code 1 if some devices failed, 2 if all did.
    """
    if devices == 1:
        for _, error in failures:
            raise error
    for device, error in failures:
        text = str(error)
        say_error(text if device in text else f"{device}: {text}")
    if failures:
        raise typer.Exit(BAD_INPUT if len(failures) == devices else BAD_OUTCOME)


def lost_folder_line() -> str | None:
    """The error line if the working folder was removed; None if it exists."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the working folder: it was removed; change to one that exists"
    return None


def empty_argument_line(typed: Sequence[str]) -> str | None:
    """The error line if an argument is empty, mostly because a shell variable is not set; None if none is."""
    for before, word in zip(["", *typed], typed, strict=False):
        joined = re.fullmatch(r"(--[\w-]+)=\s*", word)
        if joined or not word.strip():
            option = joined[1] if joined else before if before.startswith("--") else "an argument"
            return f"{option}: it is empty; write its value, or set the variable that it should come from"
    return None


def usage_line(error: Exception, typed: Sequence[str]) -> str | None:
    """The error line of a usage error (unknown command or option, missing value); None for other errors.

    Usage errors are recognised by their methods, as their classes are not public: typer's own or, before 0.27, click's.
    """
    text = getattr(error, "format_message", None)
    if text is None:
        return None
    message = " ".join(str(text()).split()).rstrip(".")
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", "")
    near = get_close_matches(option, getattr(error, "possibilities", None) or (), n=1)
    meant = _meant(message, option, context) or (near[0] if near else None)
    if meant is not None:
        # Without typer's own guess.
        message = f"{str(getattr(error, 'message', message)).rstrip('.')}; did you mean {meant}?"
    # The error of an option without its value does not name the command, which is the first word.
    path = getattr(context, "command_path", " ".join(["hwnas", *(word for word in typed[:1] if word[0] != "-")]))
    return f"{message} (see {path} --help)"


def _meant(message: str, option: str, context: object) -> str | None:
    """The option that a network was meant for, if it was typed without one, or with the one of other commands."""
    params = getattr(getattr(context, "command", None), "params", ())
    known = [name for param in params for name in param.opts]
    extra = re.search(r"unexpected extra arguments?(?:\(s\))? \((\S+)\)", message)
    word = f" {extra[1]}" if extra is not None and _is_network(extra[1]) else ""
    if not word and option not in NETWORK:
        return None
    return next((f"{name}{word}" for name in NETWORK if name in known), None)


def _is_network(word: str) -> bool:
    """Whether a word names a network or a space: a file, a Hugging Face folder, or a registered name."""
    from hwnas.space import space_names

    return ends_in(word, ".onnx", ".safetensors") or word.startswith("hf:") or word in space_names()


def lost_output_line(error: Exception) -> str | None:
    """The error line if stdout cannot be written, as on a full disk; None for other errors."""
    if not isinstance(error, OSError) or error.errno not in UNWRITTEN or error.filename is not None:
        return None
    # The rest of the buffer would fail again when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"stdout: it cannot be written ({error.strerror}); free space where it goes"


def out_of_reach_line(error: Exception) -> str | None:
    """The error line of a path that the user may not read, or that no file can have; None for other errors."""
    if not isinstance(error, OSError) or error.errno not in OUT_OF_REACH or error.filename is None:
        return None
    return f"{error.filename}: it is out of reach ({error.strerror}); correct the path, or its permissions"
