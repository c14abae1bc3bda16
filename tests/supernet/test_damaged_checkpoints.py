"""Damaged files: whatever byte is cut or changed, one line or the same weights, never a traceback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hwnas.errors import SupernetError
from hwnas.supernet import Supernet, get_supernet

N_CUTS, N_CHANGES = 40, 60


@pytest.fixture(scope="module")
def net() -> Supernet:
    return get_supernet("digits").random(3)


@pytest.fixture(scope="module", params=["zip", "legacy", "safetensors", "ours"])
def content(request: pytest.FixtureRequest, net: Supernet, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "x"
    match request.param:
        case "ours":
            net.save(file)
        case "safetensors":
            save_file(net.tensors, file)
        case kind:
            torch.save({"model": net.tensors}, file, _use_new_zipfile_serialization=kind == "zip")
    return file.read_bytes()


def opened(content: bytes, file: Path) -> Supernet | None:
    """The supernet of a file, or None if it was refused in one line."""
    file.write_bytes(content)
    try:
        return get_supernet("digits").from_checkpoint(file)
    except SupernetError as error:
        told = str(error)
    assert "\n" not in told
    assert len(told) < 400
    return None


def test_cut_files_are_refused(content: bytes, tmp_path: Path):
    assert opened(content, tmp_path / "x") is not None
    for size in np.random.default_rng(0).integers(0, len(content) - 1, N_CUTS):
        assert opened(content[:size], tmp_path / "x") is None, size


def test_changed_bytes_are_refused_or_change_weights_alone(content: bytes, net: Supernet, tmp_path: Path):
    rng = np.random.default_rng(1)
    for _ in range(N_CHANGES):
        changed = bytearray(content)
        # Half of the changes hit the first 2 kB, where headers and pickles are.
        where = rng.integers(len(content) if rng.random() < 0.5 else 2000)
        changed[where] ^= 1 << int(rng.integers(8))
        loaded = opened(bytes(changed), tmp_path / "x")
        if loaded is not None:
            assert {n: t.shape for n, t in loaded.tensors.items()} == {n: t.shape for n, t in net.tensors.items()}


def test_a_changed_weight_in_a_file_of_ours_is_noticed(net: Supernet, tmp_path: Path):
    net.save(tmp_path / "own.safetensors")
    content = bytearray((tmp_path / "own.safetensors").read_bytes())
    content[-3] ^= 1
    (tmp_path / "own.safetensors").write_bytes(content)
    with pytest.raises(SupernetError, match="a byte has changed"):
        get_supernet("digits").from_checkpoint(tmp_path / "own.safetensors")
