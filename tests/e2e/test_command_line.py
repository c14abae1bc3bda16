"""What every command shares: help with an example, suggestions for typos, versions, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import hwnas as package
from hwnas.space import get_space, space_names
from tests.cli.commands import COMMANDS
from tests.e2e.conftest import Hwnas


def test_version(hwnas: Hwnas) -> None:
    ran = hwnas("--version")
    assert (ran.code, ran.out.strip()) == (0, f"hwnas {package.__version__}")


def test_the_package_runs_as_a_module() -> None:
    ran = subprocess.run([sys.executable, "-m", "hwnas", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"hwnas {package.__version__}"


def test_without_arguments_the_help_is_shown(hwnas: Hwnas) -> None:
    ran = hwnas()
    assert ran.code == 0
    assert "hwnas search --latency 20ms" in ran.out


@pytest.mark.parametrize("group", sorted({name.split()[0] for name in COMMANDS if " " in name}))
def test_a_group_without_a_command_shows_its_help(hwnas: Hwnas, group: str) -> None:
    ran = hwnas(group)
    assert (ran.code, ran.err) == (0, "")
    assert f"hwnas {group} [OPTIONS] COMMAND" in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(hwnas: Hwnas, command: str) -> None:
    ran = hwnas(*command.split(), "--help")
    assert ran.code == 0
    assert f"hwnas {command}" in ran.out.split("Example", 1)[1]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["spaecs"], "spaces"), (["spaces", "--jsn"], "--json"), (["--versoin"], "--version")],
)
def test_typos_get_one_line_with_a_suggestion(hwnas: Hwnas, typed: list[str], meant: str) -> None:
    ran = hwnas(*typed)
    assert (ran.code, ran.out) == (2, "")
    assert meant in ran.err
    assert len(ran.err.splitlines()) == 1


def test_spaces_are_listed_with_exact_sizes(hwnas: Hwnas) -> None:
    listed = {row["name"]: row for row in json.loads(hwnas("spaces", "--json").out)}
    assert list(listed) == space_names()
    for name, row in listed.items():
        assert row["subnets"] == get_space(name).size()


@pytest.mark.parametrize(
    ("arguments", "told"), [(["--help"], "search"), (["spaces"], f"{get_space('ofa_resnet50').size():,} distinct")]
)
def test_torch_and_pymoo_stay_unloaded(arguments: list[str], told: str) -> None:
    code = (
        "import sys\nfrom hwnas.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as e:\n    assert not e.code\n"
        "heavy = {'torch', 'pymoo', 'sklearn', 'matplotlib', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert told in ran.stdout
