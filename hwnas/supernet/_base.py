"""Supernet: one set of shared weights, and how each subnet's weights are cut out of it.

A family states its space, the names in its checkpoints and, unless it is plain slicing, how a kernel shrinks.
Everything else (running, extracting, calibrating, folding) follows from the LayerSpecs of the space.
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
from hwnas.space import Network, Op, SearchSpace, head_name, n_classes, named_ops, network_inputs, with_classes
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
from hwnas.task import (
    IMAGENET,
    SCORES,
    USUAL_SAMPLING,
    ImageFolder,
    Inputs,
    Preprocessing,
    Sampling,
    Task,
    UserData,
    scored_by,
)

HEAD_SPREAD = 0.01
"""Standard deviation of a new head's weights: so small that all classes are equally likely at first."""


class Supernet(ABC):
    """The weights that all subnets of a space share.

    Tensors are kept at their largest size, under the names of :mod:`hwnas.supernet._execute`. A subclass must define
    :meth:`search_space`. The other defaults suit a network whose layers share their leading channels and the centre of
    their kernels.

    Args:
        tensors: every tensor of :meth:`shapes`.
        origin: where the tensors come from, for provenance (``"a.pth"``, ``"random weights"``).
        space: the family's, or one derived from it with another number of classes.

    Attributes:
        dialect: a description of how the checkpoint names and stores its tensors.
        reference: opens the family again: a registered name, ``file.py:Class``; empty if it was made by hand.
        labels: names of the classes in the order of the logits; empty if they are unknown.
        head_is_new: whether the head is still random, so that logits mean nothing before training.
    """

    bn_eps: ClassVar[float] = 1e-5

    metric: str = "top1"
    """The metric of evaluations: a name of :mod:`hwnas.metric`, or one of the task's own. See :meth:`with_metric`."""

    direction: ClassVar[Direction] = "max"
    """The better direction of the task's own metric."""

    preprocessing: Preprocessing | None = None
    """How images are preprocessed, which exported files state. None is ImageNet's preprocessing, and files do not state it."""

    recipe: ClassVar[Recipe] = Recipe()
    """The defaults of fine-tuning."""

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
        """The space of the subnets. Called once."""

    @classmethod
    def metric_named(cls, name: str) -> Metric:
        """A registered metric, or the task's own."""
        return registered_or_own(name, cls.direction)

    def measures(self) -> Metric:
        """The metric of evaluations."""
        return self.metric_named(self.metric)

    @classmethod
    def checkpoint_key(cls, name: str) -> str:
        """The name in checkpoints of the tensor that hwnas calls ``name``. The same, unless overridden."""
        return name

    @classmethod
    def normalised_key(cls, key: str) -> str:
        """A checkpoint's ``key`` in the spelling of :meth:`checkpoint_key`."""
        return key

    @classmethod
    def extra_shapes(cls) -> dict[str, TensorShape]:
        """Shapes of tensors that belong to no op (kernel transforms)."""
        return {}

    @classmethod
    def default_checkpoint(cls) -> Path | None:
        """A checkpoint that ships with hwnas or lies in its cache; None if there is none."""
        return None

    @classmethod
    def data(cls) -> Task | None:
        """Data that come with the supernet; None if the user has to give some."""
        return None

    @classmethod
    def outline(cls) -> Mapping[str, str]:
        """A description, stored in weight files, that opens a network without a registered name again."""
        return {}

    def adapted(self, data: Task) -> Supernet:  # noqa: ARG002 (families use it)
        """The supernet, adapted to the data before training; unchanged, unless overridden."""
        return self

    def open_data(self, folder: Path, sampling: Sampling = USUAL_SAMPLING, *, own_classes: bool = False) -> UserData:
        """The user's data, of the kind that the network takes: image folders, unless overridden.

        Args:
            folder: the user's.
            sampling: samples to draw, and to put into a batch.
            own_classes: take the classes of the data, not the head's.

        Raises:
            DataError: the data do not fit.
        """
        own_classes = own_classes or self.head_is_new
        found = ImageFolder(
            folder,
            None if own_classes else self.classes,
            sampling,
            labels=() if own_classes else self.labels,
            preprocessing=self.preprocessing or IMAGENET,
        )
        row = self.space.sample(1, np.random.default_rng(0), distinct_uniform=False)[0]
        found.resolution(network_inputs(self.network(row)))  # refuses other inputs now, and not when training has begun
        return scored_by(found, self.metric)

    def deployed_files(self, subnet: Subnet) -> dict[str, str]:
        """Files to write beside an exported subnet, as texts by name: the labels, and how to make its inputs."""
        settings = {"model_type": IMAGE_MODEL, "num_channels": subnet.input_shape[0]}
        files = {CONFIG: as_json(configuration(settings, self.labels, self.classes, subnet.arch))}
        if self.data() is None:
            files[PREPROCESSOR] = as_json((self.preprocessing or IMAGENET).config(subnet.input_shape[-1]))
        return files

    def units(self) -> Sequence[Units]:
        """Interchangeable units (heads, neurons) that training sorts by importance; none, unless overridden."""
        return ()

    def shrink_kernel(self, name: str, weight: Tensor, kernel: int) -> Tensor:  # noqa: ARG002 (families use it)
        """``weight`` (out, in, k, k) of op ``name`` with a smaller kernel: its centre, unless overridden."""
        return centre(weight, kernel)

    def active_channels(self, name: str, tensor: Tensor, shape: TensorShape) -> Tensor:  # noqa: ARG002 (families use it)
        """The channels that a tensor of op ``name`` keeps at its active shape: leading ones, unless overridden."""
        return tensor[tuple(slice(size) for size in shape[:2])]

    def op_weights(self, name: str, op: Op) -> dict[str, Tensor]:
        """The tensors of one op at its active size: fewer channels along the first two axes, a smaller kernel.

        Args:
            name: ``"<slot>/<op>"``.
            op: the op at its active size.
        """
        found = {}
        for part, shape in {**op.weights, **op.buffers}.items():
            tensor = self.active_channels(name, self.tensors[f"{name}.{part}"], shape)
            if tensor.shape[2:] != shape[2:]:
                tensor = self.shrink_kernel(name, tensor, shape[-1])
            found[f"{name}.{part}"] = tensor
        return found

    # --- making one ---------------------------------------------------------------------------

    @classmethod
    def shapes(cls, space: SearchSpace) -> dict[str, TensorShape]:
        """Largest shapes of all tensors."""
        return largest_shapes(cls, space)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike[str]) -> Self:
        """Read a checkpoint in any dialect; see :func:`hwnas.supernet._dialect.matched`.

        Args:
            path: ``.safetensors`` or a torch file of tensors; ``FILE:PART`` names one of several networks in it.

        Raises:
            SupernetError: the file is unreadable, a pickle of objects, of another network, or of several networks.
        """
        file, part = split_part(path)
        return cls.from_content(read_content(file), file, part)

    @classmethod
    def from_content(cls, content: Mapping[Any, Any], file: Path, part: str | None = None) -> Self:
        """The network in a checkpoint's content; see :func:`hwnas.supernet._dialect.matched`.

        Raises:
            SupernetError: as :meth:`from_checkpoint`.
        """
        found = matched(content, part, f"checkpoint {file}", cls, family_space(cls))
        net = cls(found.tensors, f"{file.name}:{part}" if part else file.name, found.space)
        net.dialect = found.dialect
        return net

    @classmethod
    def random(cls, seed: int = 0, space: SearchSpace | None = None) -> Self:
        """He-normal weights, zero biases, neutral norms: to begin training, or to measure latency."""
        generator = torch.Generator().manual_seed(seed)
        tensors, extra = {}, cls.extra_shapes()
        for name, shape in cls.shapes(space if space is not None else family_space(cls)).items():
            if name in extra and not name.endswith((".weight", "running_var")):
                tensors[name] = torch.eye(shape[0]) if len(shape) == 2 else torch.zeros(shape)
            else:
                tensors[name] = initial_tensor(name, shape, generator)
        return cls(tensors, "random weights", space)

    def with_head(self, labels: Sequence[str], seed: int = 0) -> Self:
        """The supernet for other classes: the head gets small random weights, all other layers keep theirs.

        Args:
            labels: names of the classes, in the order of the logits.
            seed: of the head's weights.

        Raises:
            SpaceError: the network does not end in a linear layer.
        """
        head = head_name(self.space)
        generator = torch.Generator().manual_seed(seed)
        _, *features = self.tensors[f"{head}.weight"].shape
        weight = HEAD_SPREAD * torch.randn((len(labels), *features), generator=generator)
        fresh = {f"{head}.weight": weight, f"{head}.bias": torch.zeros(len(labels))}
        other = self.alike({name: fresh.get(name, tensor) for name, tensor in self.tensors.items()})
        other.space = with_classes(self.space, len(labels))
        other.labels, other.head_is_new = tuple(labels), True
        return other

    def with_metric(self, name: str) -> Self:
        """The same supernet, measured by another score of classifiers: ``top1``, ``accuracy``, ``f1`` or ``mcc``.

        Raises:
            UnknownNameError: there is no such score; suggests the nearest.
            SupernetError: the network is no classifier.
        """
        if name == self.metric:
            return self
        if name not in SCORES:
            raise UnknownNameError("metric", name, SCORES)
        if self.metric not in SCORES:
            rule = f"it is a score of classifiers, and this network is measured by its {self.metric}"
            raise SupernetError(f"metric {name}", rule, "drop it")
        other = self.alike(self.tensors)
        other.metric = name
        return other

    def alike(self, tensors: Mapping[str, Tensor]) -> Self:
        """The same supernet with other weights."""
        other = copy.copy(self)
        other.tensors = dict(tensors)
        return other

    def with_identity_of(self, other: Supernet) -> Self:
        """This supernet, with the reference, labels, metric and state of the head of another one."""
        self.reference, self.labels, self.metric = other.reference, other.labels, other.metric
        self.head_is_new = other.head_is_new
        return self

    def in_precision(self, precision: str) -> Self:
        """The same weights, in a space whose layers choose their precisions: ``fp32+int8``.

        Raises:
            SpaceError: layers of this space cannot choose precisions.
        """
        other = self.alike(self.tensors)
        other.space = mixed_space(self.space, precision)
        return other

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write all tensors as safetensors, under hwnas's names."""
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
        """Number of classes."""
        return n_classes(self.space)

    @property
    def digest(self) -> str:
        """Digest of the weights, whatever file they came from."""
        digest = hashlib.sha256()
        for name, tensor in self.tensors.items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    # --- using it -----------------------------------------------------------------------------

    def parameters(self) -> dict[str, Tensor]:
        """Tensors that training updates, by name: all except running statistics and other buffers."""
        buffers = buffer_names(self.space.whole)
        return {name: tensor for name, tensor in self.tensors.items() if name not in buffers}

    def network(self, row: NDArray[Any]) -> Network:
        """The layers of the subnet with a canonical ``(g,)`` row.

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
        """The subnet's weights, as views of the shared tensors wherever slicing suffices."""
        return self.weights_of(self.network(row))

    def weights_of(self, network: Network) -> dict[str, Tensor]:
        """The weights of some layers, as `weights`."""
        return {key: tensor for name, op in named_ops(network) for key, tensor in self.op_weights(name, op).items()}

    def forward(self, row: NDArray[Any], x: Inputs, bn: BatchNormMode = "eval", *, momentum: float = 0.0) -> Tensor:
        """Logits ``(n, classes)`` of a subnet that runs inside the supernet; differentiable."""
        return forward(self.network(row), self.weights(row), x, bn, eps=self.bn_eps, momentum=momentum)

    def extract(self, row: NDArray[Any]) -> Subnet:
        """The subnet as a separate module, with copies of its weights."""
        network = self.network(row)
        return Subnet(network, self.weights(row), arch=self.space.decode(row), bn_eps=self.bn_eps)


def centre(weight: Tensor, kernel: int) -> Tensor:
    """The central ``kernel`` x ``kernel`` part of a ``(out, in, k, k)`` weight."""
    start = (weight.shape[-1] - kernel) // 2
    return weight[:, :, start : start + kernel, start : start + kernel]
