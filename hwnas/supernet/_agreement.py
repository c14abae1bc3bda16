"""Agreement of a network in another precision with fp32, and the layers that cost most of it.

Public reports: static int8 per channel takes MobileNetV3 from 74 to 54 %, and depthwise convolutions with per-tensor ranges
fall to chance. These files run fast and are wrong, so every exported file is compared with fp32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError
from hwnas.graph import PACKED, Ranges, quantized
from hwnas.progress import progress
from hwnas.supernet._feeds import feeds
from hwnas.task import Inputs, map_inputs, named_inputs

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

Batches = Callable[[], Iterable[Inputs]]
"""Returns batches, the same at every call."""

BLAME_IMAGES = 32
"""Images on which single layers are compared in int8, in some 0.2 to 1 s per layer."""

MOST_BLAMED = 3


@dataclass(frozen=True)
class Agreement:
    """How far two networks agree on the same images.

    Attributes:
        share_pct: share of images for which both predict the same class, in percent.
        logit_error: mean absolute difference of their logits.
        logit_spread: standard deviation of the first network's logits, to compare the error with.
        n_images: number of images.
    """

    share_pct: float
    logit_error: float
    logit_spread: float
    n_images: int

    def __str__(self) -> str:
        relative = self.logit_error / self.logit_spread if self.logit_spread else float("inf")
        error = f"mean logit error {self.logit_error:.3g}, {relative:.1%} of their spread"
        return f"{self.share_pct:.1f} % of {self.n_images:,} samples decided alike, {error}"


@dataclass(frozen=True)
class Blamed:
    """A layer, and the agreement with fp32 when only this layer is in int8."""

    layer: str
    agreement: Agreement

    def __str__(self) -> str:
        return f"{self.layer} (alone: {self.agreement.share_pct:.1f} %)"


def agreement(plain: onnx.ModelProto, model: onnx.ModelProto, batches: Batches) -> Agreement:
    """Compare ``model`` with the fp32 model ``plain``, both in onnxruntime.

    Raises:
        DataError: there are no images.
    """
    ours, theirs = open_session(plain), open_session(model)
    n = alike = size = 0
    error = total = squares = 0.0
    for images in batches():  # summed batch by batch: a text's logits do not fit into memory
        expected, found = (each.reshape(-1, each.shape[-1]) for each in (logits(ours, images), logits(theirs, images)))
        n, size = n + len(expected), size + expected.size
        alike += int((expected.argmax(1) == found.argmax(1)).sum())
        error += float(np.abs(found - expected).sum(dtype=np.float64))
        total += float(expected.sum(dtype=np.float64))
        squares += float(np.square(expected, dtype=np.float64).sum())
    if not n:
        raise DataError("agreement", "there are no images to compare on", "pass --data FOLDER")
    spread = math.sqrt(max(squares / size - (total / size) ** 2, 0.0))
    return Agreement(100 * alike / n, error / size, spread, n)


def most_lossy(plain: onnx.ModelProto, ranges: Ranges, batches: Batches) -> list[Blamed]:
    """The ops that cost the most agreement, worst first, each measured alone in int8 on :data:`BLAME_IMAGES` images.

    Slots are compared first, then the ops of the :data:`MOST_BLAMED` worst slots. In a mixed model only those in int8 count.

    Args:
        plain: the fp32 model.
        ranges: of its activations.
        batches: images.
    """

    def blamed(names: Iterable[str]) -> list[Blamed]:
        found = alone_in_int8(plain, ranges, batches, names)
        costly = [b for b in found if b.agreement.logit_error > 0]
        return sorted(costly, key=lambda b: -b.agreement.logit_error)[:MOST_BLAMED]

    # A node's doc_string names its integer form; an op may have several nodes.
    integer = [node.name for node in plain.graph.node if node.doc_string and node.doc_string not in PACKED]
    ops = list(dict.fromkeys("/".join(name.split("/")[:2]) for name in integer))
    worst = blamed(dict.fromkeys(op.partition("/")[0] for op in ops))
    return blamed(op for slot in worst for op in ops if op.startswith(f"{slot.layer}/"))


def alone_in_int8(
    plain: onnx.ModelProto, ranges: Ranges, batches: Batches, names: Iterable[str], most: int = BLAME_IMAGES
) -> list[Blamed]:
    """The agreement of a model in which one op or slot is in int8, for each of ``names`` in turn.

    Args:
        plain: the fp32 model.
        ranges: of its activations.
        batches: images.
        names: ops (``<slot>/<op>``) or slots.
        most: how many of the images to compare on.
    """
    images, found, names = list(_first(batches(), most)), [], list(names)
    with progress("alone in int8") as advance:
        for done, name in enumerate(names):
            advance(done, len(names), name)
            alone = quantized(plain, ranges, partial(_belongs, name))
            found.append(Blamed(name, agreement(plain, alone, lambda: images)))
    return found


def _first(batches: Iterable[Inputs], n: int) -> Iterator[Inputs]:
    """The first ``n`` samples."""
    for batch in batches:
        size = len(next(iter(named_inputs(batch).values())))
        yield map_inputs(itemgetter(slice(n)), batch)
        n -= size
        if n <= 0:
            return


def _belongs(name: str, node: str) -> bool:
    """Whether a node is of the op or slot ``name``."""
    return node == name or node.startswith(f"{name}/")


def open_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """The model in onnxruntime, on the CPU."""
    import onnxruntime  # only exports need it

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def logits(session: ort.InferenceSession, inputs: Inputs) -> NDArray[np.float32]:
    """Logits ``(n, classes)`` of a batch, or ``(n, tokens, vocabulary)`` of a decoder."""
    return np.asarray(session.run(["logits"], feeds(inputs))[0])
