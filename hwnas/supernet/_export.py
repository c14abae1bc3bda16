"""Exports of subnets to ONNX with their weights: the graph that was profiled, checked against torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.files import replacing
from hwnas.graph import (
    OPSET,
    build_model,
    in_precision,
    integer_form,
    open_sizes,
    precision_parts,
    random_feeds,
)
from hwnas.supernet._agreement import Agreement, Batches, Blamed, agreement, logits, most_lossy, open_session
from hwnas.supernet._feeds import ranges_on
from hwnas.supernet._subnet import Subnet, folded_weights
from hwnas.task import Inputs, Specs, Task, measured

if TYPE_CHECKING:
    import onnx

LARGEST = 2 * 10**9
"""Bytes of weights; ONNX files are protobuf messages, which end at 2 GiB."""

TOLERANCE = 1e-3
"""Largest allowed difference from torch's logits in fp32, as a share of the largest logit."""


class Difference(NamedTuple):
    """Largest absolute difference of two networks' logits over random inputs, and the largest logit."""

    largest: float
    scale: float

    def __str__(self) -> str:
        return f"{self.largest:.1e}, at logits of up to {self.scale:.3g}"


class Exported(NamedTuple):
    """A model, and how it was checked.

    Attributes:
        model: with its weights.
        difference: between the logits of onnxruntime and torch, on random inputs.
        agreement: with the fp32 model on the given images; None in fp32, and where it was not asked for.
        lossy: the layers that cost the most agreement, worst first, if there is too little.
    """

    model: onnx.ModelProto
    difference: Difference
    agreement: Agreement | None = None
    lossy: Sequence[Blamed] = ()


def export_onnx(
    subnet: Subnet,
    path: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    batches: Batches | None = None,
) -> Exported:
    """Write ``subnet`` as ONNX: ``input`` (N, channels, height, width) to ``logits`` (N, classes), both fp32.

    Networks of texts have the inputs ``input_ids``, ``attention_mask`` and so on, ``(N, length)``, up to their number of
    positions.

    Args:
        subnet: with its final weights and statistics.
        path: the file.
        precision: of weights and arithmetic: ``fp32``, ``fp16``, ``int8``, or ``fp32+int8`` where layers choose.
        batches: images from which int8 gets the ranges of activations, and on which it is compared with fp32.

    Raises:
        SupernetError: onnxruntime and torch disagree in fp32, logits are not finite, or the file would be too large.
        DataError: int8 needs images, and there are none.
    """
    found = onnx_model(subnet, precision=precision, batches=batches)
    save_onnx(found.model, path, {})
    return found


def onnx_model(
    subnet: Subnet,
    *,
    opset: int = OPSET,
    precision: str = "fp32",
    batches: Batches | None = None,
    least_agreement_pct: float | None = 0.0,
) -> Exported:
    """The model that :func:`export_onnx` writes. Batch norms are folded; onnxruntime has run it at two sizes.

    Args:
        subnet, precision, batches: as in :func:`export_onnx`.
        opset: ONNX operator set, 14 or later.
        least_agreement_pct: with less agreement than this, the layers that cost most are searched for some seconds. None
            skips the comparison with fp32.
    """
    import onnx

    weights = folded_weights(subnet)
    size = sum(array.nbytes for array in weights.values())
    if size > LARGEST:
        rule = f"its weights take {size / 1e9:.1f} GB in fp32, and a file holds at most {LARGEST / 1e9:.0f} GB"
        raise SupernetError("the ONNX model", rule, "choose a smaller subnet")
    plain = build_model(subnet.network, weights=weights, opset=opset)
    outputs = _outputs(subnet)
    difference = _difference(outputs, plain)
    if not difference.largest <= TOLERANCE * max(difference.scale, 1.0):
        rule = f"its logits differ from torch's by up to {difference}"
        raise SupernetError("the ONNX model", rule, "check the weights, or report this with the checkpoint")
    if precision == "fp32":
        onnx.checker.check_model(plain)
        return Exported(plain, difference)
    ranges = None
    if "int8" in precision_parts(precision) and needs_ranges(subnet):
        ranges = ranges_on(plain, subnet.network, batches() if batches is not None else ())
    model = in_precision(plain, precision, ranges)
    difference = _difference(outputs, model)
    if not np.isfinite(difference.largest):
        raise SupernetError(f"the {precision} model", "its logits are not finite", "export fp32")
    onnx.checker.check_model(model)
    if batches is None or least_agreement_pct is None:
        return Exported(model, difference)
    found = agreement(plain, model, batches)
    if ranges is None or found.share_pct >= least_agreement_pct:
        return Exported(model, difference, found)
    return Exported(model, difference, found, most_lossy(plain, ranges, batches))


def save_onnx(model: onnx.ModelProto, path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Write a model with further metadata, completely or not at all."""
    from onnx import helper

    own = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, own | dict(metadata))
    with replacing(path) as part:
        part.write_bytes(model.SerializeToString())


def onnx_accuracy(model: onnx.ModelProto, data: Task, specs: Specs) -> tuple[float, int]:
    """As :func:`hwnas.supernet.measure_accuracy`, for a model in onnxruntime.

    Raises:
        DataError: there were no samples.
    """
    session = open_session(model)
    return measured(data, specs, lambda inputs: torch.from_numpy(logits(session, inputs)))


def needs_ranges(subnet: Subnet) -> bool:
    """Whether int8 rounds some activations with ranges that calibration has to find."""
    in_int8 = [layer for _, layer in subnet.network if layer.precision in (None, "int8")]
    return any(integer_form(op) == "static" for layer in in_int8 for op in layer.ops)


def _outputs(subnet: Subnet) -> Sequence[tuple[Inputs, Tensor]]:
    """Random inputs of two sizes, and torch's logits for them."""
    module, found = subnet.cpu(), []
    full = open_sizes(subnet.inputs)
    half = {name: -(-size // 2) for name, size in full.items()}
    for batch, sizes in ((1, full), (3, half)):
        drawn = random_feeds(subnet.network, batch, sizes=sizes)
        inputs = {name: torch.from_numpy(array) for name, array in drawn.items()}
        with torch.inference_mode():
            found.append((inputs, module(inputs)))
    return found


def _difference(outputs: Sequence[tuple[Inputs, Tensor]], model: onnx.ModelProto) -> Difference:
    session = open_session(model)
    errors = [(torch.from_numpy(logits(session, inputs)) - expected).abs().max() for inputs, expected in outputs]
    scales = [expected.abs().max() for _, expected in outputs]
    return Difference(*(float(torch.stack(each).max()) for each in (errors, scales)))  # torch's max keeps a NaN
