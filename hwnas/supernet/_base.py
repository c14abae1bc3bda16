"""Supernet: one set of shared weights, and how each subnet's weights are cut out of it.

A family states its space, the names its checkpoint uses and, where it is not plain slicing, how a
kernel shrinks. Everything else (running, extracting, calibrating, folding) follows from the
LayerSpecs of the space.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import SpaceError, SupernetError, UnknownNameError
from hwnas.files import replacing
from hwnas.graph import mixed_space
from hwnas.metric import Direction, Metric, registered_or_own
from hwnas.space import Network, Op, SearchSpace, head_name, n_classes, with_classes
from hwnas.supernet._calibration import BatchNormMode
from hwnas.supernet._checkpoint import check_tensors, read_content, split_part, write_safetensors
from hwnas.supernet._deployed import CONFIG, IMAGE_MODEL, PREPROCESSOR, as_json, configuration
from hwnas.supernet._dialect import matched
from hwnas.supernet._execute import forward
from hwnas.supernet._family import TensorShape, buffer_names, family_space, largest_shapes
from hwnas.supernet._initial import initial_tensor
from hwnas.supernet._recipe import Recipe
from hwnas.supernet._subnet import Subnet
from hwnas.supernet._units import Units
from hwnas.task import IMAGENET, SCORES, ImageFolder, Inputs, Preprocessing, Task, UserData, scored_by

HEAD_SPREAD = 0.01
"""Standard deviation of a new head's weights: at first every class is as likely."""


class Supernet(ABC):
    """Shared weights of every subnet of a space.

    Weights are kept at their largest size, by the names of :mod:`hwnas.supernet._execute`. A subclass
    must define :meth:`search_space`; the rest has defaults that suit a network whose layers share
    their leading channels and the centre of their kernels.

    Args:
        tensors: every tensor of :meth:`shapes`.
        origin: where they come from, for provenance (``"a.pth"``, ``"random weights"``).
        space: the family's, or one derived from it with another number of classes.

    Attributes:
        dialect: how the file they were read from spells and stores them, in words.
        reference: what opens the family again: a registered name, ``file.py:Class``; empty if it was made by hand.
        labels: names of the classes in the order of the logits; empty if they are not known.
        head_is_new: whether the head is random still: its logits mean nothing before training.
    """

    bn_eps: ClassVar[float] = 1e-5

    metric: str = "top1"
    """What evaluations measure: a name of :mod:`hwnas.metric`, or one of the task's own. See :meth:`with_metric`."""

    direction: ClassVar[Direction] = "max"
    """Which values of a metric of the task's own are better."""

    preprocessing: Preprocessing | None = None
    """What becomes of an image before it enters the network; exported files carry it in words. None: ImageNet's, unsaid."""

    recipe: ClassVar[Recipe] = Recipe()
    """How it is fine-tuned by default."""

    def __init__(
        self, tensors: Mapping[str, Tensor], origin: str = "unknown", space: SearchSpace | None = None
    ) -> None:
        self.space = space if space is not None else family_space(type(self))
        shapes = self.shapes(self.space)
        check_tensors(origin, tensors, shapes, self.space.name)
        self.tensors = {name: tensors[name] for name in shapes}
        self.origin = origin
        self.dialect = ""
        self.reference = ""
        self.labels: tuple[str, ...] = ()
        self.head_is_new = False

    # --- what a family states -----------------------------------------------------------------

    @classmethod
    @abstractmethod
    def search_space(cls) -> SearchSpace:
        """The subnets. Called once."""

    @classmethod
    def metric_named(cls, name: str) -> Metric:
        """A registered metric, or the task's own."""
        return registered_or_own(name, cls.direction)

    def measures(self) -> Metric:
        """The metric that evaluations measure."""
        return self.metric_named(self.metric)

    @classmethod
    def checkpoint_key(cls, name: str) -> str:
        """The name that checkpoints give to tensor ``name`` of ours. The same, unless overridden."""
        return name

    @classmethod
    def normalised_key(cls, key: str) -> str:
        """``key`` of a checkpoint file in the one spelling :meth:`checkpoint_key` uses."""
        return key

    @classmethod
    def extra_shapes(cls) -> dict[str, TensorShape]:
        """Tensors beside those that the ops state (kernel transforms)."""
        return {}

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        """A checkpoint that ships with hwnas or lies in its cache; None if there is none."""
        return None

    @classmethod
    def data(cls) -> Task | None:
        """Images that come with the supernet; None if the user has to give some."""
        return None

    @classmethod
    def outline(cls) -> Mapping[str, str]:
        """For networks without a registered name: a description that opens them again, kept in the metadata of their
        weight files."""
        return {}

    def adapted(self, data: Task) -> Supernet:  # noqa: ARG002 (families use it)
        """The supernet adapted to some data before training; itself, unless overridden."""
        return self

    def open_data(
        self,
        folder: Path,
        *,
        own_classes: bool = False,
        images: int = 5000,
        calibrate: int = 2000,
        batch_size: int = 100,
        seed: int = 0,
    ) -> UserData:
        """The user's data, of the kind that the network is fed: image folders, unless overridden.

        Args:
            folder: theirs.
            own_classes: take the classes of the data, whatever the head's are.
            images, calibrate: samples to measure on, and to calibrate with.
            batch_size: of both, and of training.
            seed: of what is drawn.

        Raises:
            DataError: they do not fit.
        """
        found = ImageFolder(
            folder,
            None if own_classes or self.head_is_new else self.classes,
            labels=() if own_classes or self.head_is_new else self.labels,
            preprocessing=self.preprocessing or IMAGENET,
            n_images=images,
            n_calibration=calibrate,
            batch_size=batch_size,
            seed=seed,
        )
        return scored_by(found, self.metric)

    def deployed_files(self, subnet: Subnet) -> dict[str, str]:
        """Files to write beside an exported subnet, as texts by name: its labels, and how to make its inputs."""
        settings = {"model_type": IMAGE_MODEL, "num_channels": subnet.input_shape[0]}
        files = {CONFIG: as_json(configuration(settings, self.labels, self.classes, subnet.arch))}
        if self.data() is None:
            files[PREPROCESSOR] = as_json((self.preprocessing or IMAGENET).config(subnet.input_shape[-1]))
        return files

    def units(self) -> Sequence[Units]:
        """Interchangeable units (heads, neurons) that training sorts by importance; none, unless overridden."""
        return ()

    def shrink_kernel(self, name: str, weight: Tensor, kernel: int) -> Tensor:  # noqa: ARG002 (families use it)
        """``weight`` (out, in, k, k) of op ``name`` at a smaller kernel size: its centre, unless overridden."""
        return centre(weight, kernel)

    def op_weights(self, name: str, op: Op) -> dict[str, Tensor]:
        """Tensors of one op at its active size: the leading part of both channel axes, then the kernel.

        Args:
            name: ``"<slot>/<op>"``.
            op: the op at its active size.
        """
        found = {}
        for part, shape in {**op.weights, **op.buffers}.items():
            tensor = self.tensors[f"{name}.{part}"][tuple(slice(size) for size in shape[:2])]
            if tensor.shape[2:] != shape[2:]:
                tensor = self.shrink_kernel(name, tensor, shape[-1])
            found[f"{name}.{part}"] = tensor
        return found

    # --- making one ---------------------------------------------------------------------------

    @classmethod
    def shapes(cls, space: SearchSpace) -> dict[str, TensorShape]:
        """Every tensor's largest shape."""
        return largest_shapes(cls, space)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """Read a checkpoint, in whatever dialect: see :func:`hwnas.supernet._dialect.matched`.

        Args:
            path: ``.safetensors`` or a torch file of tensors; ``FILE:PART`` names one of several networks in it.

        Raises:
            SupernetError: unreadable, an object pickle, of another network, or of several.
        """
        file, part = split_part(path)
        return cls.from_content(read_content(file), file, part)

    @classmethod
    def from_content(cls, content: Mapping[Any, Any], file: Path, part: str | None = None) -> Self:
        """The network in what a checkpoint holds: see :func:`hwnas.supernet._dialect.matched`.

        Raises:
            SupernetError: as :meth:`from_checkpoint`.
        """
        found = matched(content, part, f"checkpoint {file}", cls, family_space(cls))
        net = cls(found.tensors, f"{file.name}:{part}" if part else file.name, found.space)
        net.dialect = found.dialect
        return net

    @classmethod
    def random(cls, seed: int = 0, space: SearchSpace | None = None) -> Self:
        """He-normal weights, zero biases, neutral norms: a start for training, or for latency checks."""
        generator = torch.Generator().manual_seed(seed)
        tensors, extra = {}, cls.extra_shapes()
        for name, shape in cls.shapes(space if space is not None else family_space(cls)).items():
            if name in extra and not name.endswith((".weight", "running_var")):
                tensors[name] = torch.eye(shape[0]) if len(shape) == 2 else torch.zeros(shape)
            else:
                tensors[name] = initial_tensor(name, shape, generator)
        return cls(tensors, "random weights", space)

    def with_head(self, labels: Sequence[str], seed: int = 0) -> Self:
        """The supernet for other classes: small random weights in the head, all others kept.

        Args:
            labels: names of the classes, in the order of the logits.
            seed: of the head's weights.

        Raises:
            SpaceError: the network does not end in a linear map.
        """
        head = head_name(self.space)
        generator = torch.Generator().manual_seed(seed)
        _, *features = self.tensors[f"{head}.weight"].shape
        weight = HEAD_SPREAD * torch.randn((len(labels), *features), generator=generator)
        fresh = {f"{head}.weight": weight, f"{head}.bias": torch.zeros(len(labels))}
        other = self.alike({name: fresh.get(name, tensor) for name, tensor in self.tensors.items()})
        other.space = with_classes(self.space, len(labels))
        other.reference, other.labels, other.head_is_new = self.reference, tuple(labels), True
        return other

    def with_metric(self, name: str) -> Self:
        """The same supernet, measured by another score of classifiers: ``top1``, ``accuracy``, ``f1`` or ``mcc``.

        Raises:
            UnknownNameError: no such score; suggests the nearest.
            SupernetError: it is measured by something else than such a score.
        """
        if name == self.metric:
            return self
        if name not in SCORES:
            raise UnknownNameError("metric", name, SCORES)
        if self.metric not in SCORES:
            rule = f"it is of classifiers, and this network is measured by its {self.metric}"
            raise SupernetError(f"metric {name}", rule, "drop it")
        other = self.alike(self.tensors)
        other.metric = name
        return other

    def alike(self, tensors: Mapping[str, Tensor]) -> Self:
        """The same supernet with other weights."""
        other = copy.copy(self)
        other.tensors = dict(tensors)
        return other

    def in_precision(self, precision: str) -> Self:
        """The same weights, in a space whose layers have precisions of their own: ``fp32+int8``.

        Raises:
            SpaceError: its layers cannot have any.
        """
        other = copy.copy(self)
        other.space = mixed_space(self.space, precision)
        return other

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write all tensors as safetensors, under our own names."""
        own = {
            "space": self.space.name,
            "supernet": self.reference,
            "labels": json.dumps(self.labels),
            "metric": self.metric,
            "preprocessing": str(self.preprocessing or ""),
            **self.outline(),
        }
        with replacing(path) as part:
            write_safetensors(part, self.tensors, {**own, **(metadata or {})})

    @property
    def classes(self) -> int:
        """The number of classes."""
        return n_classes(self.space)

    @property
    def digest(self) -> str:
        """Digest of the weights, independent of the file they came from."""
        digest = hashlib.sha256()
        for name, tensor in self.tensors.items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    # --- using it -----------------------------------------------------------------------------

    def parameters(self) -> dict[str, Tensor]:
        """Tensors that training updates, by name: all but running statistics and other buffers."""
        left = buffer_names(self.space.whole)
        return {name: tensor for name, tensor in self.tensors.items() if name not in left}

    def network(self, row: NDArray[Any]) -> Network:
        """Layers of the subnet of a canonical ``(g,)`` row.

        Raises:
            SpaceError: the row lies outside the space.
        """
        space = self.space
        sizes = [len(gene.choices) for gene in space.genes]
        known = row.shape == (len(sizes),) and bool(((row >= 0) & (row < sizes)).all())
        if not known or not space.contains(row[None])[0]:
            raise SpaceError(f"subnet {np.asarray(row).tolist()}", f"it is not of {space.name}", "check the space")
        return space.network(row)

    def weights(self, row: NDArray[Any]) -> dict[str, Tensor]:
        """The subnet's weights: views of the shared tensors where they are plain slices."""
        found: dict[str, Tensor] = {}
        for slot, layer in self.network(row):
            for op in layer.ops:
                found |= self.op_weights(f"{slot}/{op.name}", op)
        return found

    def forward(self, row: NDArray[Any], x: Inputs, bn: BatchNormMode = "eval", *, momentum: float = 0.0) -> Tensor:
        """Logits ``(n, classes)`` of a subnet run inside the supernet; differentiable."""
        return forward(self.network(row), self.weights(row), x, bn, eps=self.bn_eps, momentum=momentum)

    def extract(self, row: NDArray[Any]) -> Subnet:
        """The subnet as a module of its own, with copies of its inherited weights."""
        network = self.network(row)
        return Subnet(network, self.weights(row), arch=self.space.decode(row), bn_eps=self.bn_eps)


def centre(weight: Tensor, kernel: int) -> Tensor:
    """The central ``kernel`` x ``kernel`` part of a ``(out, in, k, k)`` weight."""
    start = (weight.shape[-1] - kernel) // 2
    return weight[:, :, start : start + kernel, start : start + kernel]
