"""``hwnas profile`` and ``hwnas devices``, without measuring anything real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwnas import latency
from hwnas.cli import main
from hwnas.errors import DeviceError
from hwnas.latency import _find as find
from hwnas.latency import _profile as profiling
from tests.latency.fakes import FakeRuntime

CONDITIONS = latency.get_device("cpu").id


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find, "_PACKAGE", tmp_path / "site-packages" / "hwnas")
    return tmp_path


class _Costs(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 100_000 + 1000 * (len(key) % 7)


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch) -> list[FakeRuntime]:
    """Runtimes made so far; onnxruntime is not among them."""
    made: list[FakeRuntime] = []

    def make(_: object) -> FakeRuntime:
        made.append(FakeRuntime(_Costs()))
        return made[-1]

    monkeypatch.setattr(profiling, "OnnxRuntime", make)
    return made


def _run(*args: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(args)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_profile_writes_a_table_and_says_how_good_it_is(
    folder: Path, runtimes: list[FakeRuntime], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 0
    out, err = capsys.readouterr()
    assert f"latency table latency_tables/{CONDITIONS}: " in out
    assert "100.0 % within 5 %" in out
    assert "next: hwnas search --space digits" in out
    assert "Ctrl-C and the same command resume" in err
    assert len(runtimes) == 1
    assert latency.find_table(folder / "latency_tables" / CONDITIONS).spaces["digits"]["resolutions"] == [8]

    assert _run("devices") == 0
    out, _ = capsys.readouterr()
    assert f"{CONDITIONS}: fits this machine" in out
    assert "digits at 8: in-context, 0 days old" in out
    assert "install onnxruntime-qnn" in out


def test_ctrl_c_keeps_what_was_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profiling, "OnnxRuntime", lambda _: FakeRuntime(_Costs(), stop_after=2000))
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 130
    assert "timings are kept in" in capsys.readouterr().err
    (journal,) = (folder / "latency_tables" / CONDITIONS).iterdir()
    assert journal.suffix == ".jsonl"


def test_published_tables_are_imported_and_listed(
    folder: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(shared_data / "ofa_tutorial" / "note10")
    assert _run("profile", "--import", source, "--device", "note10", "--space", "ofa_mbv3_w1.2") == 0
    assert "next: hwnas search --device note10 --space ofa_mbv3_w1.2" in capsys.readouterr().out
    assert _run("devices", "--json") == 0
    listed: dict[str, Any] = json.loads(capsys.readouterr().out)
    (table,) = listed["tables"]
    assert table["name"] == "note10"
    assert table["rows"] == 480
    assert table["misfits"] is None
    assert table["spaces"]["ofa_mbv3_w1.2"]["resolutions"] == [160, 176, 192, 208, 224]
    assert {p["device"]: p["installed"] for p in listed["providers"]}["cpu"]
    assert (folder / "latency_tables" / "note10" / "table.csv").is_file()


def test_a_table_that_cannot_be_read_is_listed_as_such(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "latency_tables" / "bad").mkdir(parents=True)
    (folder / "latency_tables" / "bad" / "device.json").write_text("{}")
    assert _run("devices") == 0
    assert "unreadable:" in capsys.readouterr().out


@pytest.mark.usefixtures("folder", "runtimes")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--device", "qnn"], "install onnxruntime-qnn"),
        (["--device", "cuda9"], "did you mean 'cuda'"),
        (["--space", "ofa_mbv3"], "did you mean 'ofa_mbv3_w1"),
        (["--threads", "4096"], "cores"),
        (["--fix", "r=223"], "r=223"),
        (["--import", "nowhere", "--device", "x"], "no such file or folder"),
        (["--out", "/proc/x", "--space", "digits", "--fix", "r=8"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("profile", *args) == 2
    err = capsys.readouterr().err.splitlines()
    assert message in err[-1]
    assert err[-1].startswith("error: ")


def test_a_provider_that_fails_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(FakeRuntime):
        def session(self, _: object) -> Any:
            raise DeviceError("device x", "onnxruntime fails: no kernel for Conv", "see hwnas devices")

    monkeypatch.setattr(profiling, "OnnxRuntime", lambda _: Failing(_Costs()))
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 2
    assert "no kernel for Conv" in capsys.readouterr().err
    assert not list((folder / "latency_tables").rglob("table.csv"))
