"""An option that takes one value is refused when it is given twice; lists are given again."""

from __future__ import annotations

from typing import Any

import pytest

from hwnas.cli import main
from tests.cli.commands import COMMANDS


def twice(option: Any) -> list[str]:
    once = [option.opts[0], *([] if option.is_flag else ["1"])]
    return [*once, *once]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command(name: str) -> None:
    command = COMMANDS[name]
    options = [param for param in command.params if param.param_type_name == "option" and not param.is_eager]
    assert options
    for option in options:
        try:
            command.make_context(name, twice(option))
            refused = False
        except Exception as error:  # noqa: BLE001 (typer's own classes are no public names)
            refused = "it is given twice" in str(getattr(error, "message", ""))
        assert refused != option.multiple, option.opts


def test_it_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["search", "--fix", "r=8", "--seed=1", "--fix", "d=1", "--seed", "2"])
    assert exit_.value.code == 2
    told = capsys.readouterr().err
    assert told == (
        "error: Invalid value for '--seed': it is given twice, and takes one value; drop one of them (see hwnas search --help)\n"
    )
