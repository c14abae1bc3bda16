"""The built wheel carries what hwnas ships: tables, the embedded predictor, the digits supernet, the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, *arguments: str) -> str:
    """Output of the command line of the unpacked wheel, run outside the checkout."""
    code = "import sys; from hwnas.cli import main; main(sys.argv[1:])"
    environment = os.environ | {"PYTHONPATH": str(site), "NO_COLOR": "1"}
    command = [sys.executable, "-P", "-c", code, *arguments]
    done = subprocess.run(command, cwd=site.parent, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_it_is_the_wheel_that_runs(installed: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", "import hwnas; print(hwnas.__file__)"]
    done = subprocess.run(command, cwd=installed.parent, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(installed)


def test_shipped_tables_are_found(installed: Path) -> None:
    # A search that was interrupted while it profiled leaves a folder with a journal alone.
    tables = sorted(path.parent.name for path in (REPOSITORY / "latency_tables").glob("*/device.json"))
    listed = run(installed, "devices", "--json")
    assert tables
    for name in tables:
        assert name in listed


def test_a_search_runs_on_what_ships(installed: Path) -> None:
    table = min(path.name for path in (REPOSITORY / "latency_tables").glob("*-cpu-t1-*"))
    # As it is: a check times this machine, and profiles it for minutes where other work makes it look unlike the table.
    options = ["--fix", "r=224", "--population", "20", "--generations", "2", "--json", "--as-is"]
    front = json.loads(run(installed, "search", "--latency", "20ms", "--device", table, *options))
    assert front
    assert (installed.parent / "pareto.csv").is_file()


def test_a_bundle_holds_what_a_board_runs(installed: Path) -> None:
    run(installed, "profile", "--bundle", "bundle.zip", "--space", "digits", "--fix", "r=8", "--subnets", "2")
    with zipfile.ZipFile(installed.parent / "bundle.zip") as bundle:
        bundle.extractall(installed.parent / "bundle")
    help_ = [sys.executable, str(installed.parent / "bundle" / "run.py"), "--help"]
    assert "Time the models" in subprocess.run(help_, capture_output=True, text=True, check=True).stdout


def test_other_assets_are_there(installed: Path) -> None:
    for asset in ("supernet/embedded/digits.safetensors", "predictor/embedded/ofa_mbv3_w1.0.safetensors", "py.typed"):
        assert (installed / "hwnas" / asset).is_file(), asset
    assert any((installed / "hwnas" / "report" / "page").iterdir())
