"""``hwnas profile`` and ``hwnas devices``, without measuring anything real."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas import latency
from hwnas.cli import main
from hwnas.cli._errors import INTERRUPTED
from hwnas.errors import DeviceError
from hwnas.io import KeptChoices, read_csv
from hwnas.latency.profiling import _make_table
from hwnas.latency.profiling import _profile as profiling
from hwnas.latency.profiling import _whole as whole
from hwnas.latency.table import _find as find
from hwnas.space import get_space
from tests.convolutional import exported, network
from tests.latency.fakes import FakeRuntime

CONDITIONS = latency.get_device("cpu").id


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(find, "_PACKAGE", tmp_path / "site-packages" / "hwnas")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a plain process time anything."""
    monkeypatch.setattr(profiling, "plain_process_times", lambda _device, files, _beside: [(1.0, 1.0)] * len(files))


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
    assert re.search(r"next: hwnas search --space digits --latency \S+ms --evaluate\n", out)
    assert "Ctrl-C and the same command resume" in err
    assert len(runtimes) == 1
    assert latency.find_table(folder / "latency_tables" / CONDITIONS).spaces["digits"]["resolutions"] == [8]

    assert _run("devices") == 0
    out, _ = capsys.readouterr()
    assert f"{CONDITIONS}: fits this machine" in out
    assert "digits in fp32 at 8: in-context, 0 days old" in out
    assert "install onnxruntime-qnn" in out


def test_of_a_file_the_next_step_asks_for_data(
    folder: Path, runtimes: list[FakeRuntime], capsys: pytest.CaptureFixture[str]
) -> None:
    """Which `digits` brings."""
    exported(network("squeezenet"), folder / "mine.onnx", size=32)
    assert _run("profile", "--space", "mine.onnx", "--fix", "r=32", "--subnets", "2") == 0
    out, _ = capsys.readouterr()
    assert re.search(r"next: hwnas search --space mine.onnx --latency \S+ms --evaluate --data FOLDER\n", out)
    assert len(runtimes) == 1


def test_of_a_shrunk_space_its_own_layers_are_measured(
    folder: Path, runtimes: list[FakeRuntime], capsys: pytest.CaptureFixture[str]
) -> None:
    part = get_space("digits").restrict(r=8, ks=5, e=[4, 6])
    KeptChoices.of(part, "digits", {}).save(folder / "small.json")
    assert _run("profile", "--space", "small.json", "--subnets", "4") == 0
    out, err = capsys.readouterr()
    assert f"profiling the {len(part.layers())} layers of digits at 8 px" in err
    assert f"{len(part.layers())} rows" in out
    assert "next: hwnas search --space small.json" in out
    table = latency.find_table(folder / "latency_tables" / CONDITIONS)
    assert {row.key for row in table.own_rows} == set(part.layers()) < set(get_space("digits").restrict(r=8).layers())

    search = ("search", "--objectives", "macs:max,latency", "--as-is", "--device", "cpu", "--searcher", "exact")
    assert _run(*search, "--space", "small.json") == 0
    capsys.readouterr()
    assert len(runtimes) == 1
    archs = [json.loads(cell) for cell in read_csv(folder / "pareto.csv")["arch"]]
    assert part.contains(get_space("digits").encode_many(archs)).all()


def test_whenever_it_is_interrupted_a_profile_says_what_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profiling, "OnnxRuntime", lambda _: FakeRuntime(_Costs(), stop_after=300))
    assert _run("profile", "--space", "digits", "--fix", "r=8") == INTERRUPTED
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"error: interrupted: \d+ of \d+ timings are kept in \S+; the same command resumes", last)
    monkeypatch.setattr(profiling, "choose_subnets", _interrupt)
    assert _run("profile", "--space", "digits", "--fix", "r=8") == INTERRUPTED
    last = capsys.readouterr().err.splitlines()[-1]
    kept = f"measurements are kept in latency_tables/{CONDITIONS}"
    assert list((folder / "latency_tables" / CONDITIONS).glob("profile-digits-*.jsonl"))
    assert last == f"error: interrupted: {kept}; the same command resumes"


def test_a_precision_adds_rows_that_its_searches_use(
    folder: Path, runtimes: list[FakeRuntime], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("profile", "--precision", "int8", "--space", "digits", "--fix", "r=8") == 0
    assert "next: hwnas search --precision int8 --space digits" in capsys.readouterr().out
    assert len(runtimes) == 1
    archs = folder / "archs.csv"
    space = get_space("digits").restrict(r=8)
    arch = json.dumps(space.decode(space.sample(1, np.random.default_rng(0))[0])).replace('"', '""')
    archs.write_text(f'arch\n"{arch}"\n')
    predict = ("predict", "archs.csv", "--space", "digits", "--out", "p.csv", "--device")
    assert _run(*predict, "cpu", "--precision", "int8") == 0
    assert len(runtimes) == 1, "nothing is profiled"
    assert _run(*predict, CONDITIONS, "--precision", "fp32") == 2
    assert f"latency table {CONDITIONS} has int8; drop --precision, or profile it: " in capsys.readouterr().err
    integer = latency.find_table(CONDITIONS)
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 0
    assert "33 of 66 rows" in capsys.readouterr().out
    both = latency.find_table(CONDITIONS)
    assert both.precisions == ("int8", "fp32")
    assert both.at("int8").rows.items() >= integer.rows.items()
    assert both.profiles["int8"] == integer.profiles["int8"]
    assert _run(*predict, CONDITIONS, "--precision", "fp32") == 0


def _checked(monkeypatch: pytest.MonkeyPatch, runtime: FakeRuntime) -> int:
    monkeypatch.setattr(whole, "OnnxRuntime", lambda _: runtime)
    return _run("profile", "--check", "--space", "digits", "--subnets", "9")


def test_a_table_is_checked_and_what_renews_it_is_told(
    folder: Path, runtimes: list[FakeRuntime], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _checked(monkeypatch, FakeRuntime(_Costs())) == 2
    assert "it has no latency table that covers digits; leave out --check to make one" in capsys.readouterr().err
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 0
    assert (
        "90 % of subnets within 0.0 % of their prediction (100.0 % in cross-validation); predictions add"
        in capsys.readouterr().out
    )

    assert _checked(monkeypatch, FakeRuntime(_Costs())) == 0
    out = capsys.readouterr().out
    assert "on 9 subnets" in out
    assert out.endswith("it holds\n")
    assert _checked(monkeypatch, FakeRuntime(_Costs(), speed=lambda _: 2.0)) == 1
    out = capsys.readouterr().out
    assert "speed     subnets take 2.00 times as long as predicted" in out
    assert "it does not hold: 9 subnets timed now are off by 50.0 % on average" in out
    command = "hwnas profile --device cpu --threads 1 --batch 1 --space digits --fix r=8"
    assert out.endswith(f"renew it: {command}\n")
    assert len(runtimes) == 1
    assert not list(folder.rglob("*.jsonl"))


def test_a_machine_too_busy_to_measure_on_is_not_trusted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(profiling, "OnnxRuntime", lambda _: FakeRuntime(_Costs()))
    monkeypatch.setattr(_make_table, "repeat_pct", lambda _: 12.5)
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 2
    out, err = capsys.readouterr()
    assert "a network timed twice differs by 12.5 % (up to 5 %)" in out
    assert "this machine was too busy for reliable times; stop what else runs here" in err.splitlines()[-1]
    assert (folder / "latency_tables" / CONDITIONS / "table.csv").is_file()
    assert _run("devices") == 0
    assert "too busy to be trusted" in capsys.readouterr().out


def test_stale_tables_say_so(folder: Path, runtimes: list[FakeRuntime], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("profile", "--space", "digits", "--fix", "r=8") == 0
    about = folder / "latency_tables" / CONDITIONS / "device.json"
    described = json.loads(about.read_text())
    old = {"date": "2020-01-02T03:04:05+00:00", "runtime": "onnxruntime 1.2.3", "elsewhere": {"Resize": 3}}
    described["profiles"]["fp32"]["digits"] |= old
    about.write_text(json.dumps(described))
    capsys.readouterr()
    assert _run("devices") == 0
    out = capsys.readouterr().out
    assert "made with onnxruntime 1.2.3, here is onnxruntime" in out
    assert "3 nodes of a subnet ran on the CPU" in out
    archs = folder / "archs.csv"
    space = get_space("digits").restrict(r=8)
    cell = json.dumps(space.decode(space.sample(1, np.random.default_rng(0))[0])).replace('"', '""')
    archs.write_text(f'arch\n"{cell}"\n')
    assert _run("predict", "archs.csv", "--space", "digits", "--device", "cpu", "--as-is", "--out", "p.csv") == 0
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("latency table"))
    assert "made with onnxruntime 1.2.3" in line
    assert "days old; renew it: hwnas profile --device cpu --threads 1 --batch 1 --space digits --fix r=8" in line
    described["device"]["hardware"]["model"] = "9 9 9"
    about.write_text(json.dumps(described))
    assert _run("predict", "archs.csv", "--space", "digits", "--device", CONDITIONS, "--out", "p.csv") == 0
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("latency table"))
    assert "made on another machine (hardware model 9 9 9, here" in line
    assert "renew it there: hwnas profile" in line
    header, row = (folder / "p.csv").read_text().splitlines()
    assert header.startswith("arch,latency_ms,latency_low_ms,latency_high_ms,macs")
    low, high = (float(v) for v in row.rsplit("}", 1)[1].split(",")[2:4])
    assert 0 < low <= high
    assert len(runtimes) == 1


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
    assert table["profiles"]["fp32"]["ofa_mbv3_w1.2"]["resolutions"] == [160, 176, 192, 208, 224]
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
        (["--precision", "int7"], "did you mean 'int8'"),
        (["--precision", "fp16"], "CPUExecutionProvider computes in fp32 and int8"),
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


@pytest.mark.usefixtures("folder", "runtimes")
def test_a_bundle_is_not_imported_before_it_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tmp_path / "board.zip"
    assert _run("profile", "--space", "digits", "--fix", "r=8", "--bundle", str(bundle)) == 0
    assert _run("profile", "--space", "digits", "--import", str(bundle), "--device", "x") == 2
    assert "it is a bundle, which must first run on the board; run it there" in capsys.readouterr().err


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
