"""A command never overwrites its inputs, and options that would be ignored are refused."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from hwnas.cli._command import ADD_COLUMNS, OF_EVALUATIONS
from hwnas.cli._groups import EvaluationOptions
from tests.cli.commands import COMMANDS

NAMES = re.compile("FILE|PATH|CSV|csv|NAME")
"""What the help calls values that may be files."""

WRITING = {
    name: [param for param in command.params if param.name != "out" and NAMES.search(str(param.metavar))]
    for name, command in COMMANDS.items()
    if any(param.name == "out" for param in command.params) and name not in ADD_COLUMNS
}


def refusal(name: str, *typed: object) -> str:
    """The error of a command for some arguments before it begins; empty if it takes them."""
    try:
        COMMANDS[name].make_context(name, [str(word) for word in typed])
    except Exception as error:  # noqa: BLE001 (typer's own classes are no public names)
        return str(getattr(error, "message", ""))
    return ""


@pytest.mark.parametrize(("name", "option"), [(name, p.opts[0]) for name, params in WRITING.items() for p in params])
def test_a_file_that_is_read_is_not_written(name: str, option: str, tmp_path: Path) -> None:
    param = next(param for param in WRITING[name] if param.opts[0] == option)
    file = tmp_path / "mine.csv"
    file.touch()
    given = [param.opts[0], file] if param.param_type_name == "option" else [file]
    given += ["--evaluate"] if param.name in OF_EVALUATIONS and name in ("search", "bench") else []
    required = [
        word
        for other in COMMANDS[name].params
        if other.required and other is not param and other.name != "out"
        for word in ([other.opts[0], "x"] if other.param_type_name == "option" else ["x"])
    ]
    assert "would be lost; write --out" in refusal(name, *given, *required, "--out", file)
    assert "would be lost" not in refusal(name, *given, *required, "--out", tmp_path / "other.csv")


@pytest.mark.parametrize("name", ["search", "bench"])
def test_options_of_evaluations_need_one(name: str) -> None:
    own = {"evaluate", "supernet", "workers", "cluster"}  # for these the command has a more precise error
    assert {field.name for field in fields(EvaluationOptions)} - own <= OF_EVALUATIONS
    for param in COMMANDS[name].params:
        if param.name in OF_EVALUATIONS:
            assert f"drop {param.opts[0]}, or add --evaluate" in refusal(name, param.opts[0], 5)
            assert not refusal(name, "--evaluate", param.opts[0], 5)
