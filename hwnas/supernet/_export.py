"""A subnet as ONNX with its weights: the graph that was profiled, checked against torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from hwnas.errors import SupernetError
from hwnas.files import replacing
from hwnas.graph import OPSET, build_model
from hwnas.supernet._subnet import Subnet, folded_weights

TOLERANCE = 1e-3
"""Largest difference to torch's logits that passes, as a share of the largest logit."""


class Difference(NamedTuple):
    """Largest absolute difference of two networks' logits over random images, and the largest logit."""

    largest: float
    scale: float

    def __str__(self) -> str:
        return f"{self.largest:.1e}, at logits of up to {self.scale:.3g}"


def export_onnx(
    subnet: Subnet, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None, *, opset: int = OPSET
) -> Difference:
    """Write ``subnet`` as ONNX: ``input`` (N, channels, height, width) to ``logits`` (N, classes), fp32.

    Batch norms are folded. Before the file is put in place, onnxruntime runs it at two batch sizes.

    Args:
        subnet: with its final weights and statistics.
        path: the file.
        metadata: properties stored in the model.
        opset: ONNX operator set, 14 or later.

    Returns:
        How far onnxruntime's logits are from torch's.

    Raises:
        SupernetError: the two disagree, or there are weights that are not finite.
    """
    import onnx  # noqa: PLC0415 (only exports need it)

    model = build_model(subnet.network, weights=folded_weights(subnet), metadata=metadata, opset=opset)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    difference = _difference(subnet, content)
    if not difference.largest <= TOLERANCE * max(difference.scale, 1.0):
        rule = f"its logits differ from torch's by up to {difference}"
        raise SupernetError(f"output {path}", rule, "check the weights, or report this with the checkpoint")
    with replacing(path) as part:
        part.write_bytes(content)
    return difference


def _difference(subnet: Subnet, content: bytes) -> Difference:
    import onnxruntime as ort  # noqa: PLC0415 (only exports need it)

    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    module = subnet.cpu()
    errors, scales = [], []
    for batch in (1, 3):
        x = torch.randn(batch, *subnet.input_shape, generator=generator)
        with torch.inference_mode():
            expected = module(x).numpy()
        (found,) = session.run(["logits"], {"input": x.numpy()})
        errors.append(np.abs(found - expected).max())
        scales.append(np.abs(expected).max())
    return Difference(float(max(errors)), float(max(scales)))
