"""Errors at the edge, and the options that commands share."""

from __future__ import annotations

import pytest
import typer

from hwnas.cli import main
from hwnas.cli._errors import as_typed, guarded
from hwnas.errors import HwnasError, SpaceError
from hwnas.space import get_space
from hwnas.study._space import restricted

SPACE = get_space("ofa_mbv3_w1.0")


def test_an_error_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise HwnasError("two\nlines", "a rule", "a remedy")

    with pytest.raises(typer.Exit) as exit_:
        guarded(command)()
    assert exit_.value.exit_code == 2
    assert capsys.readouterr().err == "error: two lines: a rule; a remedy\n"


def test_an_error_of_the_library_names_the_option_that_was_typed() -> None:
    options = {"--seed-archs": "a.csv", "--fix": ["d=1", "r=9"], "--racing": True, "--verify": False, "--prior": None}
    for message, told in (
        ("seed archs a.csv: a rule", "--seed-archs a.csv: a rule"),
        ("seed archs b.csv: a rule", "seed archs b.csv: a rule"),
        ("fix r=9: a rule", "--fix r=9: a rule"),
        ("fix 'd=1': a rule", "--fix 'd=1': a rule"),
        ("racing: a rule", "--racing: a rule"),
        ("verify: a rule", "verify: a rule"),
        ("prior: a rule", "prior: a rule"),
        ("priority: a rule", "priority: a rule"),
    ):
        assert as_typed(message, options) == told


def test_every_command_spells_its_options_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--supernet", "digits", "--arch", "{}", "--threads", "2"])
    assert capsys.readouterr().err.startswith("error: --threads 2: nothing is measured without a device; ")


@pytest.mark.parametrize(("args", "line"), [((), "interrupted"), (("3 of 9 kept",), "interrupted: 3 of 9 kept")])
def test_ctrl_c_is_one_line_and_exit_130(args: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise KeyboardInterrupt(*args)

    with pytest.raises(SystemExit, match="130"):
        guarded(command)()
    assert capsys.readouterr().err == f"error: {line}\n"


def test_a_path_out_of_reach_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    out = f"{'x' * 300}.csv"
    with pytest.raises(SystemExit) as exit_:
        main(["search", "--latency", "6ms", "--out", out])
    assert exit_.value.code == 2
    line = f"error: {out}: it is out of reach (File name too long); correct the path, or its permissions\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("spaces mine.onnx", "--space"),
        ("spaces digits", "--space"),
        ("train own.safetensors", "--supernet"),
        ("search hf:minilm", "--supernet"),
    ],
)
def test_a_network_without_its_option_is_told_which(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, network = typed.split()
    options = ["--out", "x.safetensors", "--supernet", "digits"] if command == "train" else []
    with pytest.raises(SystemExit) as exit_:
        main([command, network, *options])
    assert exit_.value.code == 2
    line = f"Got unexpected extra argument(s) ({network}); did you mean {meant} {network}? (see hwnas {command} --help)"
    assert line in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("spaces --supernet digits", "No such option: --supernet; did you mean --space? (see"),
        ("export --space digits", "No such option: --space; did you mean --supernet? (see"),
        ("download --supernet digits", "No such option: --supernet (see"),
    ],
)
def test_a_network_with_the_option_of_other_commands(typed: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(typed.split())
    assert exit_.value.code == 2
    assert told in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded(command)()


@pytest.mark.parametrize(
    ("fixes", "allowed"),
    [
        (["r=224"], {"r": [224]}),
        (["r=160,176"], {"r": [160, 176]}),
        (["r=160", "r=176"], {"r": [160, 176]}),
        (["d=2"], {"d": [2]}),
        (["ks[0]=7"], {"ks[0]": [7]}),
        (["r=224", " d = 2, 3 "], {"r": [224], "d": [2, 3]}),
    ],
)
def test_fixed_genes(fixes: list[str], allowed: dict[str, list[int]]) -> None:
    space = restricted(SPACE, fixes)
    for name, values in allowed.items():
        columns = SPACE.groups.get(name) or [c for c, g in enumerate(SPACE.genes) if g.name == name]
        for column in columns:
            assert [SPACE.genes[column].choices[i] for i in space.domain[column]] == values
    assert space.fingerprint == SPACE.fingerprint


@pytest.mark.parametrize("fixes", [["ks=3,5", "ks[0]=7"], ["ks[0]=7", "ks=3,5"]])
def test_a_gene_that_is_fixed_by_its_name_is_none_of_the_others(fixes: list[str]) -> None:
    space = restricted(SPACE, fixes)
    first, *others = SPACE.groups["ks"]
    assert [SPACE.genes[first].choices[i] for i in space.domain[first]] == [7]
    for column in others:
        assert [SPACE.genes[column].choices[i] for i in space.domain[column]] == [3, 5]


@pytest.mark.parametrize("fix", ["r", "r=", "=224", "r=225", "q=1", "ks[99]=3", "r=fast", "r=224,999"])
def test_wrong_fixes_are_refused(fix: str) -> None:
    with pytest.raises(SpaceError):
        restricted(SPACE, [fix])


def test_without_fixes_the_space_is_whole() -> None:
    assert restricted(SPACE, None).size() == SPACE.size()
