"""The code of a Markdown document: fenced blocks, in order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = ("python", "sh")
SHOWN = ("csv", "json", "text")
"""Languages of blocks that show something, and run nothing."""

_FENCE = re.compile(r"^ *```(\w*)$")
_NOT_RUN = re.compile(r"^ *<!-- not run: (.+) -->$")
_INDENTED = re.compile(r"^(    |\t)\S")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: path of the document.
        line: number of its first line in the document.
        language: behind the opening fence.
        text: what stands in it.
        not_run: why it cannot run in a test, if the document says so in a comment in front of it.
    """

    document: Path
    line: int
    language: str
    text: str
    not_run: str | None = None

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    def commands(self) -> Iterator[tuple[int, list[str]]]:
        """Line numbers and words of a shell block's commands: comments dropped, continued lines joined, ``&&`` split."""
        begun, words = 0, ""
        for number, line in enumerate(self.text.splitlines(), self.line):
            begun = begun if words else number
            words += line
            if words.endswith("\\"):
                words = words[:-1] + " "
                continue
            for command in words.split(" && "):
                found = shlex.split(command, comments=True)
                if found:
                    yield begun, found
            words = ""


def blocks_of(document: Path) -> list[Block]:
    """All fenced blocks of a document.

    Raises:
        ValueError: an indented block, a fence without a known language, or one that is not closed.
    """
    found: list[Block] = []
    language, margin, begun, before = "", "", 0, ""
    inside: list[str] = []
    reason: str | None = None
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{document.name}, line {number}"
        fence = _FENCE.match(line)
        if language and fence is not None:
            found.append(Block(document, begun, language, "\n".join(inside), reason))
            language, before = "", line
        elif language:
            inside.append(line.removeprefix(margin))
        elif fence is not None:
            if fence[1] not in (*RUN, *SHOWN):
                raise ValueError(f"{where}: a block is of {', '.join((*RUN, *SHOWN))}, not of {fence[1]!r}")
            told = _NOT_RUN.match(before)
            language, margin, begun, inside = fence[1], line[: line.index("`")], number + 1, []
            reason = told[1] if told else None
        elif _INDENTED.match(line) and not before.strip():
            raise ValueError(f"{where}: code stands between fences, so that it is run")
        before = line if line.strip() or not _NOT_RUN.match(before) else before
    if language:
        raise ValueError(f"{document.name}: the block from line {begun} on is not closed")
    return found
