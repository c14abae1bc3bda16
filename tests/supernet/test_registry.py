"""Supernets by name, by module and by file."""

from __future__ import annotations

import runpy
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from hwnas.errors import SupernetError, UnknownNameError
from hwnas.supernet import get_supernet, load_supernet, supernet_names
from tests.conftest import REPOSITORY
from tests.supernet.conftest import OWN


def test_the_example_runs_and_its_checkpoint_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    script = REPOSITORY / "examples" / "own_supernet.py"
    assert len(script.read_text().splitlines()) < 120
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path / "own.pth")])
    runpy.run_path(str(script), run_name="__main__")
    assert "blocks.0.norm1.bias" in torch.load(tmp_path / "own.pth", weights_only=True)["state_dict"]
    supernet = load_supernet(OWN, tmp_path / "own.pth")
    assert supernet.space.size() == 432
    assert supernet.origin == "own.pth"


def test_a_module_of_the_working_directory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if Path(p or ".").resolve() != REPOSITORY])
    monkeypatch.delitem(sys.modules, "examples", raising=False)
    assert get_supernet("examples.own_supernet:OwnSupernet").__name__ == "OwnSupernet"


def test_plug_ins_are_found_and_never_replace_built_in_ones(monkeypatch: pytest.MonkeyPatch):
    entries = [
        EntryPoint("ofa_mbv3_w1.0", "os:path", "hwnas.supernets"),
        EntryPoint("theirs", "hwnas.supernet.ofa:OFAResNet50", "hwnas.supernets"),
        EntryPoint("broken", "hwnas.supernet.nothing:Net", "hwnas.supernets"),
    ]

    def found(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "hwnas.supernets"
        return [entry for entry in entries if name in (None, entry.name)]

    for module in ("hwnas.supernet._registry", "hwnas.plugin"):
        monkeypatch.setattr(f"{module}.entry_points", found)
    assert supernet_names()[-2:] == ["theirs", "broken"]
    assert get_supernet("theirs").__name__ == "OFAResNet50"
    assert get_supernet("ofa_mbv3_w1.0").__name__ == "OFAMobileNetV3W10"
    with pytest.raises(SupernetError, match="cannot be loaded"):
        get_supernet("broken")
    with pytest.raises(UnknownNameError, match="did you mean 'theirs'"):
        get_supernet("their")


def test_weights_that_are_not_there_name_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HWNAS_CACHE", str(tmp_path))
    with pytest.raises(SupernetError, match=r"run hwnas download ofa_mbv3_w1\.0, or pass --checkpoint FILE"):
        load_supernet("ofa_mbv3_w1.0")
    family = get_supernet("ofa_mbv3_w1.0")
    supernet = family.random(0)
    torch.save({family.checkpoint_key(k): t for k, t in supernet.tensors.items()}, tmp_path / "ofa_mbv3_w1.0.pth")
    assert load_supernet("ofa_mbv3_w1.0").digest == supernet.digest
