"""The file of ``--out``: one rule for the commands that write one file."""

from __future__ import annotations

from pathlib import Path

from hwnas.errors import DataError
from hwnas.files import check_writable, ends_in

TABLE = (".csv", ".csv.gz")
"""Endings of tables that commands read again."""


def check_out(out: Path, what: str, *endings: str) -> None:
    """Check before the work that its result can be written, and read again: commands know files by their endings.

    Args:
        out: the file.
        what: what it will hold, for messages.
        endings: the endings that it may have; the remedy names the first.

    Raises:
        DataError: the name has another ending, or the file cannot be written.
    """
    check_writable(out)
    if not ends_in(out, *endings):
        rule = f"{what} ends in {' or '.join(endings)}"
        raise DataError(f"--out {out}", rule, f"write --out {out.with_suffix(endings[0])}")
