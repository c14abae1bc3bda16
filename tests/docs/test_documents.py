"""Every command and every block of Python in the documents runs, in the order in which a reader types them."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hwnas.cli import app, main
from tests.conftest import REPOSITORY
from tests.docs.blocks import Block, blocks_of

DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCKS = {str(document.relative_to(REPOSITORY)): blocks_of(document) for document in DOCUMENTS}
NOT_RUN = [block for blocks in BLOCKS.values() for block in blocks if block.not_run is not None]
TABLED = [*DOCUMENTS, REPOSITORY / "BENCHMARKS.md", *sorted((REPOSITORY / "benchmarks" / "notes").glob("*.md"))]
_BAR, _CODE = re.compile(r"(?<!\\)\|"), re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("document", [name for name, blocks in BLOCKS.items() if blocks])
def test_a_document_does_what_it_says(document: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    for block in BLOCKS[document]:
        if block.not_run is not None:
            continue
        if block.language == "python":
            page = desk / f"{block.document.stem}.py"
            page.write_text("\n" * (block.line - 1) + block.text)  # errors tell the line of the document
            names = runpy.run_path(str(page), names)
        elif block.language == "sh":
            for line, command in block.commands():
                code = _run(command, monkeypatch)
                assert code == 0, f"{block.document.name}, line {line}: exit code {code} of {shlex.join(command)}"


def _run(command: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of a command, run in this process."""
    program, *arguments = command
    if program == "make":
        said = ["make", "--dry-run", "--directory", str(REPOSITORY), *arguments]
        recipe = subprocess.run(said, capture_output=True, text=True, check=True).stdout
        ran = [shlex.split(line)[1:] for line in recipe.splitlines() if "/hwnas " in line]
        return next((code for code in map(_hwnas, ran) if code), 0)
    if program == "hwnas":
        return _hwnas(arguments)
    assert program == "python", f"{shlex.join(command)}: a document's commands are hwnas, python and make"
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(arguments[0], run_name="__main__")
    return 0


def _hwnas(arguments: list[str]) -> object:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    return exit_.value.code


@pytest.mark.parametrize("block", NOT_RUN, ids=str)
def test_a_block_that_cannot_run_here(block: Block) -> None:
    pytest.skip(f"{block}: {block.not_run}")


def test_every_command_is_documented() -> None:
    typed = {
        command[1]
        for blocks in BLOCKS.values()
        for block in blocks
        if block.language == "sh"
        for _, command in block.commands()
        if command[0] == "hwnas"
    }
    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert typed >= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in _LINK.findall(document.read_text(encoding="utf-8")):
        path = document.parent / target if target else document
        assert path.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in _anchors(path), f"{document.name} links to {target}#{anchor}"


def _anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = _HEADING.findall(_FENCED.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", TABLED, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_rows_of_a_table_have_the_cells_of_its_head(document: Path) -> None:
    cells = 0
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        found = len(_BAR.findall(_CODE.sub("", line))) if line.startswith("|") else 0
        assert found in (cells or found, 0), f"{document.name}:{number} has {found - 1} cells, its table {cells - 1}"
        cells = found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("```\nhwnas\n```\n", "line 1: a block is of"),
        ("words\n\n    hwnas spaces\n", "line 3: code stands between fences"),
        ("```sh\nhwnas spaces\n", "the block from line 2 on is not closed"),
    ],
)
def test_code_that_would_not_be_run_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        blocks_of(path)


def test_blocks_are_read_as_a_reader_types_them(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "1. first\n\n   <!-- not run: a board -->\n   ```sh\n   hwnas a \\\n     b  # why\n   x && y\n   ```\n"
    )
    (block,) = blocks_of(path)
    assert (block.line, block.not_run) == (5, "a board")
    assert list(block.commands()) == [(5, ["hwnas", "a", "b"]), (7, ["x"]), (7, ["y"])]
