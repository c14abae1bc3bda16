"""Spell characters in ASCII that a terminal cannot show."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from pathlib import Path

_SPELLED = {
    "±": "+/-",
    "×": "x",
    "·": "-",
    "•": "*",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "µ": "u",
    "μ": "u",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "━": "-",
    "╸": "-",
    "╺": "-",
}
"""Characters with an ASCII equivalent."""


def spelled(text: str) -> str:
    """``text`` in ASCII: signs as equivalents, letters without accents, lines as dashes, all else as ``?``."""
    return "".join(_SPELLED.get(c) or _plain(c) for c in text)


def _plain(character: str) -> str:
    if "\u2500" <= character <= "\u257f":  # box drawing
        return "-" if character in "─━┄┅┈┉╌╍═" else "|" if character in "│┃┆┇┊┋╎╏║" else "+"
    decomposed = unicodedata.normalize("NFKD", character)
    return decomposed.encode("ascii", "ignore").decode() or "?"


def fit_streams() -> None:
    """Let stdout and stderr take any text: characters that their encoding lacks are :func:`spelled`; a closed stream drops it."""
    codecs.register_error("hwnas.spelled", _replacement)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the calling process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (it stays open)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="hwnas.spelled")


def _replacement(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return spelled(error.object[error.start : error.end]), error.end
