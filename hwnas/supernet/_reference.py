"""References: the ways to name a network, and how each is opened.

This module does not import torch, because most spaces open without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from hwnas.errors import SpaceError, SupernetError, UnknownNameError
from hwnas.files import ends_in, files_in
from hwnas.graph import mixed_space
from hwnas.io import KeptChoices
from hwnas.plugin import is_reference
from hwnas.space import SearchSpace, classes_named, get_space, with_classes
from hwnas.supernet._header import ENCODER, OUTLINE, described, is_trained_file

if TYPE_CHECKING:
    from hwnas.supernet._base import Supernet


WEIGHTS = (".pth", ".pt", ".bin", ".ckpt", ".tar")
"""Endings of weight files that cannot be references."""


class ReferenceKind(ABC):
    """One way to name a network. A new one is a subclass and a line in ``KINDS``.

    Every command opens ``--space`` and ``--supernet`` through it. All methods raise a HwnasError with a remedy if
    the named network does not exist or does not load.
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

    @abstractmethod
    def belongs(self, reference: str) -> bool:
        """Whether a name is of this kind. The first such kind of ``KINDS`` opens it."""

    def opened(self, reference: str) -> ReferenceKind:  # noqa: ARG002 (used by kinds that read a file)
        """The kind with the content of the named file, if it needs that."""
        return self

    @abstractmethod
    def supernet(self, reference: str) -> type[Supernet]:
        """The class of the supernet."""

    def space(self, reference: str) -> SearchSpace:
        """The search space. Kinds that know it without torch override this."""
        from hwnas.supernet._family import family_space

        return family_space(self.supernet(reference))

    def weights(self, reference: str) -> Path | None:
        """The file of the weights; None if it is not on this machine."""
        return self.supernet(reference).default_checkpoint()

    def origin(self, reference: str) -> str:
        """The reference to store with a supernet trained from this one; not that of weights which training replaces."""
        return reference

    def part(self, space: SearchSpace) -> SearchSpace:
        """The part of a space (with precisions or without) that is searched: all of it, unless the name restricts it."""
        return space


class Registered(ReferenceKind):
    """A name of ``hwnas spaces``, with a number of classes (``digits-c7``) or without."""

    form = "NAME"

    def belongs(self, reference: str) -> bool:  # noqa: ARG002 (the last kind takes every other name)
        return True

    def supernet(self, reference: str) -> type[Supernet]:
        from hwnas.supernet._registry import registered_supernet

        _refuse_path(reference)
        try:
            return registered_supernet(reference)
        except UnknownNameError as error:
            raise _unknown("supernet", reference, error) from None

    def space(self, reference: str) -> SearchSpace:
        _refuse_path(reference)
        try:
            return get_space(reference)
        except UnknownNameError as error:
            try:
                return super().space(reference)  # the space of a supernet that a plug-in registers
            except UnknownNameError:
                raise _unknown("space", reference, error) from None


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

    def belongs(self, reference: str) -> bool:
        return reference.startswith("hf:")

    def supernet(self, reference: str) -> type[Supernet]:
        from hwnas.supernet.hf import folder_class

        # Shells do not expand a ~ that follows "hf:".
        return folder_class(str(Path(reference.removeprefix("hf:")).expanduser()))


class Object(ReferenceKind):
    """A user's class; for a space also a SearchSpace, or a function that makes one. ``-c7`` sets the number of classes."""

    form = "FILE.py:NAME or MODULE:NAME"

    def belongs(self, reference: str) -> bool:
        return is_reference(reference)

    def supernet(self, reference: str) -> type[Supernet]:
        from hwnas.plugin import load_object
        from hwnas.supernet._registry import checked_class

        name, _ = classes_named(reference)
        return checked_class(reference, load_object(name, "supernet", SupernetError))

    def space(self, reference: str) -> SearchSpace:
        name, _ = classes_named(reference)
        return _with_classes_named(get_space(name), reference)


def _with_classes_named(space: SearchSpace, name: str) -> SearchSpace:
    """The space with the number of classes that the name states, if any."""
    _, classes = classes_named(name)
    return space if classes is None else with_classes(space, classes)


class TrainedFile(ReferenceKind):
    """A file of ``hwnas train``."""

    form = "FILE.safetensors"
    carries_weights = True

    def belongs(self, reference: str) -> bool:
        return is_trained_file(reference)

    def supernet(self, reference: str) -> type[Supernet]:
        of = self.origin(reference)
        return reference_kind(of).supernet(of)

    def space(self, reference: str) -> SearchSpace:
        of = self.origin(reference)
        return _with_classes_named(reference_kind(of).space(of), described(reference)["space"])

    def weights(self, reference: str) -> Path | None:
        return Path(reference)

    def origin(self, reference: str) -> str:
        of = described(reference)["supernet"]
        if is_trained_file(of):
            raise SupernetError(f"supernet {reference}", "it was trained from another file", f"pass --supernet {of}")
        return of


class OnnxFile(ReferenceKind):
    """A user's convolutional network, from any framework."""

    form = "FILE.onnx"
    carries_weights = only_largest = True

    def belongs(self, reference: str) -> bool:
        return ends_in(reference, ".onnx")

    def supernet(self, reference: str) -> type[Supernet]:
        from hwnas.supernet.onnx import onnx_supernet

        return onnx_supernet(reference)

    def space(self, reference: str) -> SearchSpace:
        from hwnas.supernet.onnx import elastic_file

        return elastic_file(reference).space


class TrainedOnnxFile(TrainedFile):
    """A file of ``hwnas train`` for an ONNX network. It holds the network's outline, so the ONNX file is not needed."""

    def belongs(self, reference: str) -> bool:
        return super().belongs(reference) and Path(reference).is_file() and OUTLINE in described(reference)

    def supernet(self, reference: str) -> type[Supernet]:
        from hwnas.supernet.onnx import supernet_of_outline

        return supernet_of_outline(described(reference), f"supernet {reference}")

    def space(self, reference: str) -> SearchSpace:
        from hwnas.supernet.onnx import outlined_network

        metadata = described(reference)
        return _with_classes_named(outlined_network(metadata, f"supernet {reference}").space, metadata["space"])


class TrainedEncoder(TrainedFile):
    """A file of ``hwnas train`` for a Hugging Face network. It holds the description, so the folder is not needed."""

    def belongs(self, reference: str) -> bool:
        return super().belongs(reference) and Path(reference).is_file() and ENCODER in described(reference)

    def supernet(self, reference: str) -> type[Supernet]:
        from hwnas.supernet.hf import carried_class

        return carried_class(described(reference), reference)

    def space(self, reference: str) -> SearchSpace:
        return _with_classes_named(ReferenceKind.space(self, reference), described(reference)["space"])


class Shrunk(ReferenceKind):
    """A file of ``hwnas space shrink``: a part of another reference's space, with the weights of that reference.

    Args:
        kept: the file's content; None until a file is opened.
    """

    form = "FILE.json"

    def __init__(self, kept: KeptChoices | None = None) -> None:
        if kept is not None:
            self.kept, self.of = kept, reference_kind(kept.reference)
            self.whole, self.precisions = kept.reference, kept.precisions
            self.carries_weights, self.only_largest = self.of.carries_weights, self.of.only_largest

    def belongs(self, reference: str) -> bool:
        return ends_in(reference, ".json")

    def opened(self, reference: str) -> Shrunk:
        kept = KeptChoices.read(Path(reference))
        if self.belongs(kept.reference):
            rule = f"it is a part of {kept.reference}, which is a part itself"
            raise SpaceError(f"space {reference}", rule, "shrink the space again")
        return Shrunk(kept)

    def supernet(self, reference: str) -> type[Supernet]:  # noqa: ARG002 (the file has been read)
        return self.of.supernet(self.kept.reference)

    def space(self, reference: str) -> SearchSpace:
        space = self.of.space(self.kept.reference)
        if self.precisions:
            space = mixed_space(space, "+".join(self.precisions))
        if space.fingerprint != self.kept.fingerprint:
            rule = f"{self.kept.reference} has changed: its {space.name} is not the one that was shrunk"
            raise SpaceError(f"space {reference}", rule, "shrink it again")
        return self.kept.part(space)

    def weights(self, reference: str) -> Path | None:  # noqa: ARG002
        return self.of.weights(self.kept.reference)

    def origin(self, reference: str) -> str:  # noqa: ARG002
        return self.of.origin(self.kept.reference)

    def part(self, space: SearchSpace) -> SearchSpace:
        return self.kept.part(space)


KINDS: tuple[ReferenceKind, ...] = (
    HuggingFace(),
    Shrunk(),
    TrainedEncoder(),
    TrainedOnnxFile(),
    TrainedFile(),
    OnnxFile(),
    Object(),
    Registered(),
)
"""All ways to name a network, in the order in which they are tried."""


def reference_kind(reference: str) -> ReferenceKind:
    """The kind of a name."""
    return next(kind for kind in KINDS if kind.belongs(reference)).opened(reference)
