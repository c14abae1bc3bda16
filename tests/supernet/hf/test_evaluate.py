"""Encoders in onnxruntime: texts of any length, sorted and cut where they are padding, decided as torch decides them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hwnas.supernet import evaluate, get_engine, load_supernet
from hwnas.task import SelectiveTask
from tests.supernet.hf.conftest import save, write_texts
from tests.supernet.hf.test_parity import KINDS, largest


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_told_apart_as_torch_does_and_nothing_is_calibrated(kind: str, tmp_path: Path) -> None:
    save(tmp_path / "net", kind, classes=2)
    write_texts(tmp_path / "data", 200)
    net = load_supernet(f"hf:{tmp_path / 'net'}").with_head(("negative", "positive"))
    data = net.open_data(tmp_path / "data", batch_size=64)
    row = largest(net, 16)
    found, expected = (evaluate(net, row, data, get_engine(name)) for name in ("onnxruntime", "torch"))
    assert found == expected
    assert (found.n_images, found.n_calibration) == (100, 0)
    subnet = net.extract(row)
    assert isinstance(data, SelectiveTask)
    mixed = torch.randperm(100, generator=torch.Generator().manual_seed(0)).tolist()
    for inputs, _ in data.validation_of(subnet.inputs, mixed):
        assert not isinstance(inputs, torch.Tensor)
        assert len(set(inputs["attention_mask"].sum(1).tolist())) > 3
        logits, plain = (get_engine(name).runner(subnet)(inputs) for name in ("onnxruntime", "torch"))
        torch.testing.assert_close(logits, plain, rtol=1e-4, atol=1e-4)
