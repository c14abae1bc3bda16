"""What contract tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.convolutional import exported, network


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileNetV3 as ONNX: depth, width, kernels and image size are elastic."""
    return exported(network("mobilenet_v3"), tmp_path_factory.mktemp("onnx") / "mobilenet.onnx", fold=False)
