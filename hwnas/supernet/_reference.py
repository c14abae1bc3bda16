"""References: the ways to name a network, and how each is opened.

This module does not import torch, because most spaces open without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from hwnas.errors import SpaceError, SupernetError, UnknownNameError
from hwnas.files import ends_in, files_in
from hwnas.graph import mixed_space
from hwnas.io import KeptChoices
from hwnas.plugin import is_reference
from hwnas.space import SearchSpace, classes_named, get_space, with_classes
from hwnas.supernet._header import DESCRIPTION, OUTLINE, described, is_trained_file

if TYPE_CHECKING:
    from hwnas.supernet._base import Supernet


WEIGHTS = (".pth", ".pt", ".bin", ".ckpt", ".tar")
"""Endings of weight files that cannot be references."""


class ReferenceKind(ABC):
    """One way to name a network. A new one is a subclass and a line in ``KINDS``.

    Every command opens ``--space`` and ``--supernet`` through it. All methods raise a HwnasError with a remedy if
    the named network does not exist or does not load.

    Args:
        reference: the name.
    """

    form: ClassVar[str]
    """The spelling, for messages: ``"FILE.safetensors"``."""

    carries_weights: bool = False
    """Whether the name leads to weights, so that no ``--checkpoint`` is needed."""

    only_largest: bool = False
    """Whether only the largest network was trained, not its subnets."""

    whole: str | None = None
    """The reference of the whole space, if the name is of a part; else None."""

    precisions: tuple[str, ...] = ()
    """The precisions that layers choose from, if the name states them."""

    def __init__(self, reference: str) -> None:
        self.reference = reference

    @classmethod
    @abstractmethod
    def belongs(cls, reference: str) -> bool:
        """Whether a name is of this kind. The first such kind of ``KINDS`` opens it."""

    @abstractmethod
    def supernet(self) -> type[Supernet]:
        """The class of the supernet."""

    def space(self) -> SearchSpace:
        """The search space. Kinds that know it without torch override this."""
        from hwnas.supernet._family import family_space

        return family_space(self.supernet())

    def weights(self) -> Path | None:
        """The file of the weights; None if it is not on this machine."""
        return self.supernet().default_checkpoint()

    def origin(self) -> str:
        """The reference to store with a supernet trained from this one; not that of weights which training replaces."""
        return self.reference

    def part(self, space: SearchSpace) -> SearchSpace:
        """The part of a space (with precisions or without) that is searched: all of it, unless the name restricts it."""
        return space


class Registered(ReferenceKind):
    """A name of ``hwnas spaces``, with a number of classes (``digits-c7``) or without."""

    form = "NAME"

    @classmethod
    def belongs(cls, reference: str) -> bool:  # noqa: ARG003 (the last kind takes every other name)
        return True

    def supernet(self) -> type[Supernet]:
        from hwnas.supernet._registry import registered_supernet

        _refuse_path(self.reference)
        try:
            return registered_supernet(self.reference)
        except UnknownNameError as error:
            raise _unknown("supernet", self.reference, error) from None

    def space(self) -> SearchSpace:
        _refuse_path(self.reference)
        try:
            return get_space(self.reference)
        except UnknownNameError as error:
            try:
                return super().space()  # the space of a supernet that a plug-in registers
            except UnknownNameError:
                raise _unknown("space", self.reference, error) from None


def _unknown(kind: str, name: str, error: UnknownNameError) -> UnknownNameError:
    """The error for an unknown name, which may be one of the Hugging Face hub."""
    return UnknownNameError(kind, name, error.known, "write hf:FOLDER, of a Hugging Face folder")


def _refuse_path(reference: str) -> None:
    """Refuse paths that need another spelling, and endings with a typo.

    Raises:
        SupernetError: the name is such a path.
    """
    path = Path(reference)
    endings = [kind.form.removeprefix("FILE") for kind in KINDS if kind.form.startswith("FILE.")]
    near = get_close_matches(path.suffix.lower(), endings, n=1, cutoff=0.8)
    if near:
        rule = f"files that end in {path.suffix} are no networks"
        raise SupernetError(f"supernet {reference}", rule, f"did you mean {path.with_suffix(near[0])}?")
    if ends_in(path, ".py"):
        rule = "a Python file may define several networks"
        raise SupernetError(f"supernet {reference}", rule, f"write {reference}:NAME, with the name of the class")
    if path.is_dir() and ((path / "config.json").is_file() or files_in(path, ".gguf")):
        raise SupernetError(f"supernet {reference}", "it is a Hugging Face folder", f"write hf:{reference}")
    if ends_in(path, ".gguf") and path.is_file():
        raise SupernetError(f"supernet {reference}", "it is a GGUF file", f"write hf:{reference}")
    if ends_in(path, *WEIGHTS) and path.is_file():
        rule = "it is a file of weights, which do not say what network they are of"
        remedy = f"name its supernet and add --checkpoint {reference}, or export your own network as ONNX"
        raise SupernetError(f"supernet {reference}", rule, remedy)


class HuggingFace(ReferenceKind):
    """A local Hugging Face folder: configuration, weights, tokenizer."""

    form = "hf:FOLDER"
    carries_weights = only_largest = True

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return reference.startswith("hf:")

    def supernet(self) -> type[Supernet]:
        from hwnas.supernet.hf import folder_class

        # Shells do not expand a ~ that follows "hf:".
        return folder_class(str(Path(self.reference.removeprefix("hf:")).expanduser()))


class Object(ReferenceKind):
    """A user's class; for a space also a SearchSpace, or a function that makes one. ``-c7`` sets the number of classes."""

    form = "FILE.py:NAME or MODULE:NAME"

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return is_reference(reference)

    def supernet(self) -> type[Supernet]:
        from hwnas.plugin import load_object
        from hwnas.supernet._registry import checked_class

        name, _ = classes_named(self.reference)
        return checked_class(self.reference, load_object(name, "supernet", SupernetError))

    def space(self) -> SearchSpace:
        name, _ = classes_named(self.reference)
        return _with_classes_named(get_space(name), self.reference)


def _with_classes_named(space: SearchSpace, name: str) -> SearchSpace:
    """The space with the number of classes that the name states, if any."""
    _, classes = classes_named(name)
    return space if classes is None else with_classes(space, classes)


class TrainedFile(ReferenceKind):
    """A file of ``hwnas train``."""

    form = "FILE.safetensors"
    carries_weights = True

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return is_trained_file(reference)

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself."""
        return described(self.reference)

    def supernet(self) -> type[Supernet]:
        return reference_kind(self.origin()).supernet()

    def space(self) -> SearchSpace:
        return _with_classes_named(reference_kind(self.origin()).space(), self.metadata["space"])

    def weights(self) -> Path | None:
        return Path(self.reference)

    def origin(self) -> str:
        of = self.metadata["supernet"]
        if is_trained_file(of):
            rule = "it was trained from another file"
            raise SupernetError(f"supernet {self.reference}", rule, f"pass --supernet {of}")
        return of


class OnnxFile(ReferenceKind):
    """A user's convolutional network, from any framework."""

    form = "FILE.onnx"
    carries_weights = only_largest = True

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return ends_in(reference, ".onnx")

    def supernet(self) -> type[Supernet]:
        from hwnas.supernet.onnx import onnx_supernet

        return onnx_supernet(self.reference)

    def space(self) -> SearchSpace:
        from hwnas.supernet.onnx import elastic_file

        return elastic_file(self.reference).space


class TrainedOnnxFile(TrainedFile):
    """A file of ``hwnas train`` for an ONNX network. It holds the network's outline, so the ONNX file is not needed."""

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return super().belongs(reference) and Path(reference).is_file() and OUTLINE in described(reference)

    def supernet(self) -> type[Supernet]:
        from hwnas.supernet.onnx import supernet_of_outline

        return supernet_of_outline(self.metadata, f"supernet {self.reference}")

    def space(self) -> SearchSpace:
        from hwnas.supernet.onnx import outlined_network

        metadata = self.metadata
        return _with_classes_named(outlined_network(metadata, f"supernet {self.reference}").space, metadata["space"])


class TrainedHuggingFaceFile(TrainedFile):
    """A file of ``hwnas train`` for a Hugging Face network. It holds the description, so the folder is not needed."""

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return super().belongs(reference) and Path(reference).is_file() and DESCRIPTION in described(reference)

    def supernet(self) -> type[Supernet]:
        from hwnas.supernet.hf import carried_class

        return carried_class(self.metadata, self.reference)

    def space(self) -> SearchSpace:
        return _with_classes_named(ReferenceKind.space(self), self.metadata["space"])


class Shrunk(ReferenceKind):
    """A file of ``hwnas space shrink``: a part of another reference's space, with the weights of that reference."""

    form = "FILE.json"

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.kept = KeptChoices.read(Path(reference))
        if self.belongs(self.kept.reference):
            rule = f"it is a part of {self.kept.reference}, which is a part itself"
            raise SpaceError(f"space {reference}", rule, "shrink the space again")
        self.of = reference_kind(self.kept.reference)
        self.whole, self.precisions = self.kept.reference, self.kept.precisions
        self.carries_weights, self.only_largest = self.of.carries_weights, self.of.only_largest

    @classmethod
    def belongs(cls, reference: str) -> bool:
        return ends_in(reference, ".json")

    def supernet(self) -> type[Supernet]:
        return self.of.supernet()

    def space(self) -> SearchSpace:
        space = self.of.space()
        if self.precisions:
            space = mixed_space(space, "+".join(self.precisions))
        if space.fingerprint != self.kept.fingerprint:
            rule = f"{self.kept.reference} has changed: its {space.name} is not the one that was shrunk"
            raise SpaceError(f"space {self.reference}", rule, "shrink it again")
        return self.kept.part(space)

    def weights(self) -> Path | None:
        return self.of.weights()

    def origin(self) -> str:
        return self.of.origin()

    def part(self, space: SearchSpace) -> SearchSpace:
        return self.kept.part(space)


KINDS: tuple[type[ReferenceKind], ...] = (
    HuggingFace,
    Shrunk,
    TrainedHuggingFaceFile,
    TrainedOnnxFile,
    TrainedFile,
    OnnxFile,
    Object,
    Registered,
)
"""All ways to name a network, in the order in which they are tried."""


def reference_kind(reference: str) -> ReferenceKind:
    """The name, as one of its kind."""
    return next(kind for kind in KINDS if kind.belongs(reference))(reference)
