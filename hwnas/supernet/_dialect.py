"""Finding a network's tensors in the file of any training script.

Files nest dictionaries and prefix names: ``{"state_dict_ema": {"module.first_conv.conv.weight": ...}, "optimizer": ...}``.
Both make a path, and a *part* is everything below one path. A part fits if it has every tensor of the network, under hwnas's
names or the family's. The classifier may have another number of classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hwnas.errors import SpaceError, SupernetError
from hwnas.space import SearchSpace, head_name, n_classes, with_classes
from hwnas.supernet._checkpoint import check_tensors, differences, refuse, shown
from hwnas.wording import first_few

if TYPE_CHECKING:
    from hwnas.supernet._base import Supernet

Path = tuple[str, ...]

DEEPEST = 5
"""Levels of nesting that are searched."""

_TYPES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float64: "fp64"}


@dataclass(frozen=True)
class Matched:
    """A checkpoint's network.

    Attributes:
        tensors: fp32, by hwnas's names.
        space: with the checkpoint's number of classes.
        dialect: a description of how the file names and stores the tensors; empty for a file of hwnas.
    """

    tensors: dict[str, Tensor]
    space: SearchSpace
    dialect: str


@dataclass
class _Part:
    """Tensors below one path of a file.

    Attributes:
        path: keys of nested dicts, then prefixes of names.
        nest: number of keys of nested dicts in the path.
        ours: whether the tensors have hwnas's names, not the family's.
        names: the file's name of each tensor, by hwnas's name.
        tensors: by hwnas's names.
    """

    path: Path
    nest: int
    ours: bool
    names: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __str__(self) -> str:
        return ".".join(self.path) or "."

    def named(self, asked: str) -> bool:
        """Whether ``asked`` is the path or its beginning."""
        return str(self) == asked or str(self).startswith(f"{asked}.")


@dataclass(frozen=True)
class _Wanted:
    """The network that is looked for.

    Attributes:
        family: states names and shapes of its tensors.
        space: with its usual number of classes.
    """

    family: type[Supernet]
    space: SearchSpace

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all tensors."""
        return self.family.shapes(self.space)

    @cached_property
    def head(self) -> str | None:
        """The op of the classifier; None for a network without classes of its own."""
        try:
            return head_name(self.space)
        except SpaceError:
            return None

    @cached_property
    def same_names(self) -> bool:
        """Whether the family's names are hwnas's."""
        return all(self.family.checkpoint_key(name) == name for name in self.shapes)

    def classes(self, part: _Part) -> int:
        """The part's number of classes."""
        bias = part.tensors.get(f"{self.head}.bias")
        return len(bias) if bias is not None and bias.ndim == 1 and len(bias) else n_classes(self.space)

    def shapes_in(self, part: _Part) -> dict[str, tuple[int, ...]]:
        """Shapes of all tensors, with the part's number of classes."""
        classes, heads = self.classes(part), {f"{self.head}.{suffix}" for suffix in ("weight", "bias")}
        return {name: (classes, *shape[1:]) if name in heads else shape for name, shape in self.shapes.items()}


def matched(
    content: Mapping[Any, Any], asked: str | None, origin: str, family: type[Supernet], space: SearchSpace
) -> Matched:
    """The tensors of ``space`` in a file's content.

    Args:
        content: see :func:`hwnas.supernet._checkpoint.read_content`.
        asked: path of the part to take; None takes the only one.
        origin: the file, for messages.
        family: states names and shapes of the tensors.
        space: with its usual number of classes.

    Raises:
        SupernetError: the file is of another network, of several different networks, or has values that are not finite.
    """
    wanted = _Wanted(family, space)
    parts = _parts(content, wanted)
    if asked is not None:
        known, parts = parts, [part for part in parts if part.named(asked)]
        if known and not parts:
            paths = ", ".join(str(part) for part in known)
            raise SupernetError(f"{origin}:{asked}", "it has no such part", f"its parts are: {paths}")
    fitting = [part for part in parts if not differences(part.tensors, wanted.shapes_in(part))]
    part = _only(fitting, origin) if fitting else max(parts, key=lambda p: len(p.tensors), default=_Part((), 0, True))
    named = {part.names.get(name, name): tensor for name, tensor in part.tensors.items()}
    shapes = wanted.shapes_in(part)
    expected = {part.names.get(name) or family.checkpoint_key(name): shape for name, shape in shapes.items()}
    refuse(origin, space.name, differences(named, expected) + _strange(content, part, parts))
    check_tensors(origin, named, expected, space.name)
    found = with_classes(space, wanted.classes(part)) if wanted.head else space
    tensors = {name: part.tensors[name].float() for name in shapes}
    return Matched(tensors, found, _dialect(content, part, wanted))


def _parts(content: Mapping[Any, Any], wanted: _Wanted) -> list[_Part]:
    """All parts with a tensor of the network, in the file's order."""
    names, family = list(wanted.shapes), wanted.family
    spellings: list[tuple[bool, dict[str, str], Callable[[str], str]]] = [(True, {n: n for n in names}, str)]
    if not wanted.same_names:
        spellings.append((False, {family.checkpoint_key(name): name for name in names}, family.normalised_key))
    parts: dict[tuple[Path, bool], _Part] = {}
    for nest, tensors in _nests(content):
        for ours, known, spelt in spellings:
            for key, tensor in tensors.items():
                words = key.split(".")
                for i in range(len(words)):
                    name = known.get(spelt(".".join(words[i:])))
                    if name is not None:
                        path = (*nest, *words[:i])
                        part = parts.setdefault((path, ours), _Part(path, len(nest), ours))
                        part.names.setdefault(name, key)
                        part.tensors.setdefault(name, tensor)
    return list(parts.values())


def _nests(
    content: Mapping[Any, Any], path: Path = (), seen: set[int] | None = None
) -> Iterator[tuple[Path, dict[str, Tensor]]]:
    """The path and tensors of every dict that holds tensors; once, even if it contains itself."""
    seen = seen if seen is not None else set()
    seen.add(id(content))
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    for key, value in content.items():
        if isinstance(value, Mapping) and len(path) < DEEPEST and id(value) not in seen:
            yield from _nests(value, (*path, str(key)), seen)


def _only(fitting: list[_Part], origin: str) -> _Part:
    """The only part that fits, or the first of several with equal tensors."""
    first, *others = fitting
    if all(_equal(first, other) for other in others):
        return first
    paths = [str(part) for part in fitting]
    rule = f"it holds {len(paths)} networks that fit: {', '.join(paths)}"
    file = origin.removeprefix("checkpoint ")
    raise SupernetError(origin, rule, "choose: " + " or ".join(f"--checkpoint {file}:{path}" for path in paths))


def _equal(a: _Part, b: _Part) -> bool:
    pairs = [(tensor, b.tensors[name]) for name, tensor in a.tensors.items()]
    return all(x.dtype == y.dtype and torch.equal(x, y) for x, y in pairs)


def _strange(content: Mapping[Any, Any], part: _Part, parts: list[_Part]) -> list[str]:
    """Sentences about tensors below a part's path that belong to no op; counters, of one number each, are ignored."""
    tensors = dict(_nests(content)).get(part.path[: part.nest], {})
    prefix = part.path[part.nest :]
    beside = [p.path[p.nest :] for p in parts if p.path[: p.nest] == part.path[: part.nest] and p is not part]
    beside = [path for path in beside if len(path) > len(prefix)]
    known = set(part.names.values())
    sentences = []
    for key, tensor in tensors.items():
        words = tuple(key.split("."))
        inside = words[: len(prefix)] == prefix and not any(words[: len(path)] == path for path in beside)
        if inside and key not in known and tensor.numel() > 1:
            sentences.append(f"{key} {shown(tensor.shape)} is unknown")
    return sentences


def _dialect(content: Mapping[Any, Any], part: _Part, wanted: _Wanted) -> str:
    """A description of how the file names and stores the tensors; empty for a file of hwnas."""
    traits = []
    if part.path:
        traits.append(f"under {part}")
    if not part.ours and not wanted.same_names:
        traits.append("by its family's names")
    kinds = Counter(tensor.dtype for tensor in part.tensors.values() if tensor.dtype != torch.float32)
    for kind, n in kinds.items():
        name = _TYPES.get(kind, str(kind).removeprefix("torch."))
        traits.append(f"{'all' if n == len(part.tensors) else n} {name} made fp32")
    classes, usual = wanted.classes(part), n_classes(wanted.space)
    own_file = part.ours and not part.path  # written by `hwnas train`, with classes that were asked for
    if classes != usual and not own_file:
        traits.append(f"{classes:,} classes instead of {usual:,}")
    others = [str(key) for key, value in content.items() if str(key) not in part.path[:1] and _is_aside(value, part)]
    if others:
        traits.append(f"left aside: {first_few(others)}")
    return ", ".join([f"{len(part.tensors)} tensors", *traits]) if traits else ""


def _is_aside(value: object, part: _Part) -> bool:
    """Whether another entry of the file lies outside the part: any does if the part is nested, else all but tensors."""
    return part.nest > 0 or not isinstance(value, Tensor)
