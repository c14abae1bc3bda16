"""How well a network in another precision agrees with fp32, and which layers cost most.

Public reports: MobileNetV3 falls from 74 to 54 % under per-channel static int8, and depthwise convolutions with
per-tensor ranges to chance. Such a file runs, is fast, and is wrong: so every exported file is compared with fp32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import DataError
from hwnas.graph import PACKED, Ranges, quantized
from hwnas.progress import progress
from hwnas.supernet._feeds import feeds
from hwnas.task import Inputs

if TYPE_CHECKING:
    import onnx
    import onnxruntime as ort

Batches = Callable[[], Iterable[Inputs]]
"""Gives batches, the same at every call."""

BLAME_IMAGES = 32
"""Images that layers are blamed on, one layer in int8 at a time: some 0.2 to 1 s for each."""

MOST_BLAMED = 3


@dataclass(frozen=True)
class Agreement:
    """Two networks on the same images.

    Attributes:
        share_pct: images on which both rank the same class first, in percent.
        logit_error: mean absolute difference of their logits.
        logit_spread: standard deviation of the first one's logits, to compare the error with.
        n_images: images compared.
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
    """A layer, and the agreement with fp32 if this layer alone is in int8."""

    layer: str
    agreement: Agreement

    def __str__(self) -> str:
        return f"{self.layer} (alone: {self.agreement.share_pct:.1f} %)"


def agreement(plain: onnx.ModelProto, model: onnx.ModelProto, batches: Batches) -> Agreement:
    """Compare ``model`` with the fp32 model ``plain``, both as onnxruntime runs them.

    Raises:
        DataError: there are no images.
    """
    ours, theirs = open_session(plain), open_session(model)
    n = alike = size = 0
    error = total = squares = 0.0
    for images in batches():  # logits of all of a text's tokens would not fit into memory
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
    """The ops that cost the most agreement, worst first: each alone in int8, on :data:`BLAME_IMAGES` images.

    Slots are compared first, then the ops of the worst :data:`MOST_BLAMED` slots; of a mixed model those that are int8.

    Args:
        plain: the fp32 model.
        ranges: of its activations.
        batches: images.
    """

    def blamed(names: Iterable[str]) -> list[Blamed]:
        found = alone_in_int8(plain, ranges, batches, names)
        costly = [b for b in found if b.agreement.logit_error > 0]
        return sorted(costly, key=lambda b: -b.agreement.logit_error)[:MOST_BLAMED]

    # Nodes tell what int8 makes of them; an op may have several.
    integer = [node.name for node in plain.graph.node if node.doc_string and node.doc_string not in PACKED]
    ops = list(dict.fromkeys("/".join(name.split("/")[:2]) for name in integer))
    worst = blamed(dict.fromkeys(op.partition("/")[0] for op in ops))
    return blamed(op for slot in worst for op in ops if op.startswith(f"{slot.layer}/"))


def alone_in_int8(
    plain: onnx.ModelProto, ranges: Ranges, batches: Batches, names: Iterable[str], most: int = BLAME_IMAGES
) -> list[Blamed]:
    """The cost of each op or slot: it alone in int8, on the first ``most`` images, in the order of ``names``.

    Args:
        plain: the fp32 model.
        ranges: of its activations.
        batches: images.
        names: of ops (``<slot>/<op>``) or of slots.
        most: images.
    """
    images, found, each = list(_first(batches(), most)), [], list(names)
    with progress("alone in int8") as advance:
        for done, name in enumerate(each):
            advance(done, len(each), name)
            alone = quantized(plain, ranges, partial(_belongs, name))
            found.append(Blamed(name, agreement(plain, alone, lambda: images)))
    return found


def _first(batches: Iterable[Inputs], n: int) -> Iterator[Inputs]:
    """The first ``n`` samples."""
    for batch in batches:
        if isinstance(batch, Tensor):
            part: Inputs = batch[:n]
            n -= len(batch)
        else:
            part = {name: tensor[:n] for name, tensor in batch.items()}
            n -= len(next(iter(batch.values())))
        yield part
        if n <= 0:
            return


def _belongs(name: str, node: str) -> bool:
    """Whether a node is the op of that name, or of the slot."""
    return node == name or node.startswith(f"{name}/")


def open_session(model: onnx.ModelProto) -> ort.InferenceSession:
    """The model in onnxruntime, on the CPU."""
    import onnxruntime  # only exports need it

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def logits(session: ort.InferenceSession, inputs: Inputs) -> NDArray[np.float32]:
    """``(n, classes)`` of a batch, of decoders ``(n, tokens, vocabulary)``."""
    found: NDArray[np.float32] = session.run(["logits"], feeds(inputs))[0]
    return found
