"""Checkpoints: the layouts that load, and the files that are refused in one line."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from hwnas.errors import SupernetError
from hwnas.supernet import get_supernet
from hwnas.supernet.ofa._upstream import one_spelling

NAME = "ofa_proxyless_w1.3"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A state dict as upstream's static layers spell it."""
    family = get_supernet(NAME)
    supernet = family.random(0)
    return {family.checkpoint_key(name): tensor for name, tensor in supernet.tensors.items()}


def refusal(path: Path, name: str = NAME) -> str:
    with pytest.raises(SupernetError) as caught:
        get_supernet(name).from_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_spelling_of_a_key_loads(state: dict[str, torch.Tensor], tmp_path: Path):
    old = {
        key.replace(".conv.depth_conv", ".mobile_inverted_conv.depth_conv").replace(".bn.", ".bn.bn."): tensor
        for key, tensor in state.items()
    }
    old["first_conv.bn.num_batches_tracked"] = torch.tensor(7)
    torch.save({"state_dict": old, "epoch": 3}, tmp_path / "old.pth")
    supernet = get_supernet(NAME).from_checkpoint(tmp_path / "old.pth")
    expected = state["blocks.3.conv.depth_conv.conv.weight"]
    torch.testing.assert_close(supernet.tensors["blocks.3/depthwise.weight"], expected)
    supernet.save(tmp_path / "own.safetensors")


def test_spellings():
    assert one_spelling("blocks.1.mobile_inverted_conv.inverted_bottleneck.conv.conv.weight") == (
        "blocks.1.conv.inverted_bottleneck.conv.weight"
    )
    assert one_spelling("input_stem.1.conv.conv.conv.weight") == "input_stem.1.conv.weight"
    assert one_spelling("classifier.linear.linear.bias") == "classifier.linear.bias"


def test_own_files_load_as_saved(tmp_path: Path):
    family = get_supernet(NAME)
    supernet = family.random(1)
    supernet.save(tmp_path / "own.safetensors")
    again = family.from_checkpoint(tmp_path / "own.safetensors")
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in supernet.tensors.items())
    assert again.digest == supernet.digest
    assert again.digest != family.random(2).digest


def test_another_family_or_width_is_named_by_keys_and_shapes(state: dict[str, torch.Tensor], tmp_path: Path):
    torch.save(state, tmp_path / "proxyless.pth")
    message = refusal(tmp_path / "proxyless.pth", "ofa_mbv3_w1.0")
    assert "first_conv.conv.weight is 40x3x3x3, not 16x3x3x3" in message
    assert "more" in message

    resnet = refusal(tmp_path / "proxyless.pth", "ofa_resnet50")
    assert "input_stem.0.conv.weight is missing" in resnet


def test_files_that_cannot_be_read(state: dict[str, torch.Tensor], tmp_path: Path):
    whole = tmp_path / "whole.pth"
    torch.save(state, whole)
    content = whole.read_bytes()
    (tmp_path / "cut.pth").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("<html>404</html>")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    for name in ("cut.pth", "empty.pth", "text.pth", "cut.safetensors"):
        assert "again" in refusal(tmp_path / name) or "anew" in refusal(tmp_path / name), name
    assert "no such file" in refusal(tmp_path / "missing.pth")
    state_nan = state | {"first_conv.bn.bias": torch.full((40,), torch.nan)}
    torch.save(state_nan, tmp_path / "nan.pth")
    assert "first_conv.bn.bias holds NaN" in refusal(tmp_path / "nan.pth")


class Payload:
    """Leaves a file behind if unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_object_pickles_are_refused_and_never_run(tmp_path: Path):
    trace = tmp_path / "it-ran"
    torch.save({"state_dict": {"x": Payload(trace)}}, tmp_path / "object.pth")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Payload(trace)))
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    for name in ("object.pth", "plain.pkl", "module.pth"):
        assert "objects" in refusal(tmp_path / name), name
    assert not trace.exists()
    torch.save([1, 2, 3], tmp_path / "list.pth")
    assert "no state dict" in refusal(tmp_path / "list.pth")
