"""A subnet as ONNX with its weights: the graph that was profiled, checked against torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hwnas.errors import DataError, SupernetError
from hwnas.files import replacing
from hwnas.graph import OPSET, activation_ranges, build_model, in_precision, random_feeds
from hwnas.supernet._subnet import Subnet, folded_weights
from hwnas.task import EvaluationData

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

TOLERANCE = 1e-3
"""Largest difference to torch's logits that passes in fp32, as a share of the largest logit."""


class Difference(NamedTuple):
    """Largest absolute difference of two networks' logits over random inputs, and the largest logit."""

    largest: float
    scale: float

    def __str__(self) -> str:
        return f"{self.largest:.1e}, at logits of up to {self.scale:.3g}"


def export_onnx(
    subnet: Subnet,
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    opset: int = OPSET,
    precision: str = "fp32",
    images: Iterable[Tensor] = (),
) -> Difference:
    """Write ``subnet`` as ONNX: ``input`` (N, channels, height, width) to ``logits`` (N, classes), fp32 both.

    Args:
        subnet: with its final weights and statistics.
        path: the file.
        metadata: properties stored in the model.
        opset: ONNX operator set, 14 or later.
        precision: of weights and arithmetic: ``fp32``, ``fp16`` or ``int8``.
        images: batches (n, channels, height, width) that show int8 the ranges of activations.

    Returns:
        How far onnxruntime's logits are from torch's.

    Raises:
        SupernetError: the two disagree in fp32, or there are weights that are not finite.
        DataError: int8 without images.
    """
    model, difference = onnx_model(subnet, opset=opset, precision=precision, images=images)
    save_onnx(model, path, metadata or {})
    return difference


def onnx_model(
    subnet: Subnet, *, opset: int = OPSET, precision: str = "fp32", images: Iterable[Tensor] = ()
) -> tuple[onnx.ModelProto, Difference]:
    """The model that :func:`export_onnx` writes. Batch norms are folded; onnxruntime has run it at two batch sizes."""
    import onnx  # noqa: PLC0415 (only exports need it)

    model = build_model(subnet.network, weights=folded_weights(subnet), opset=opset)
    difference = _difference(subnet, model)
    if not difference.largest <= TOLERANCE * max(difference.scale, 1.0):
        rule = f"its logits differ from torch's by up to {difference}"
        raise SupernetError("the ONNX model", rule, "check the weights, or report this with the checkpoint")
    if precision != "fp32":
        batches = (np.ascontiguousarray(batch.cpu().numpy()) for batch in images)
        model = in_precision(model, precision, activation_ranges(model, batches) if precision == "int8" else None)
        difference = _difference(subnet, model)
        if not np.isfinite(difference.largest):
            raise SupernetError(f"the {precision} model", "its logits are not finite", "export fp32")
    onnx.checker.check_model(model)
    return model, difference


def save_onnx(model: onnx.ModelProto, path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Write a model with properties, whole or not at all."""
    from onnx import helper  # noqa: PLC0415

    helper.set_model_props(model, dict(metadata))
    with replacing(path) as part:
        part.write_bytes(model.SerializeToString())


def onnx_accuracy(model: onnx.ModelProto, data: EvaluationData, shape: tuple[int, ...]) -> tuple[float, int]:
    """As :func:`hwnas.supernet.measure_accuracy`, of the model as onnxruntime runs it.

    Raises:
        DataError: there were no images.
    """
    session = _session(model)
    correct = n_images = 0
    for images, labels in data.validation(shape):
        (logits,) = session.run(["logits"], {"input": np.ascontiguousarray(images.cpu().numpy())})
        correct += int((logits.argmax(1) == labels.numpy()).sum())
        n_images += len(labels)
    if n_images == 0:
        raise DataError("validation", "there are no images to measure accuracy on", "give some")
    return 100 * correct / n_images, n_images


def _session(model: onnx.ModelProto) -> ort.InferenceSession:
    import onnxruntime as ort  # noqa: PLC0415 (only exports need it)

    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _difference(subnet: Subnet, model: onnx.ModelProto) -> Difference:
    session = _session(model)
    module = subnet.cpu()
    errors, scales = [], []
    for batch in (1, 3):
        feeds = random_feeds(subnet.network, batch)
        with torch.inference_mode():
            expected = module({name: torch.from_numpy(array) for name, array in feeds.items()}).numpy()
        (found,) = session.run(["logits"], feeds)
        errors.append(np.abs(found - expected).max())
        scales.append(np.abs(expected).max())
    return Difference(float(max(errors)), float(max(scales)))
