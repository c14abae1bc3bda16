"""Finding a network's tensors in the file of any training script.

Files nest dictionaries and prefix names: ``{"state_dict_ema": {"module.first_conv.conv.weight": ...}, "optimizer": ...}``.
Both make a path, and a *part* is everything below one path. A part fits if it has every tensor of the network, under hwnas's
names or the family's. The classifier may have another number of classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from hwnas.errors import SpaceError, SupernetError
from hwnas.quantity import first_few
from hwnas.space import SearchSpace, head_name, n_classes, with_classes
from hwnas.supernet._checkpoint import check_tensors, differences, refuse, shown

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
    parts = _parts(content, family, space)
    if asked is not None:
        known, parts = parts, [part for part in parts if part.named(asked)]
        if known and not parts:
            paths = ", ".join(str(part) for part in known)
            raise SupernetError(f"{origin}:{asked}", "it has no such part", f"its parts are: {paths}")
    fitting = [part for part in parts if not differences(part.tensors, _expected(part, family, space))]
    part = _only(fitting, origin) if fitting else max(parts, key=lambda p: len(p.tensors), default=_Part((), 0, True))
    expected = _expected(part, family, space)
    strange = _strange(content, part, parts)
    named = {part.names.get(name, name): tensor for name, tensor in part.tensors.items()}
    wanted = {part.names.get(name) or family.checkpoint_key(name): shape for name, shape in expected.items()}
    refuse(origin, space.name, differences(named, wanted) + strange)
    check_tensors(origin, named, wanted, space.name)
    found = with_classes(space, _classes(part, space)) if _head(space) else space
    tensors = {name: part.tensors[name].float() for name in expected}
    return Matched(tensors, found, _dialect(content, part, found, space, same_names=_same_names(family, expected)))


def _parts(content: Mapping[Any, Any], family: type[Supernet], space: SearchSpace) -> list[_Part]:
    """All parts with a tensor of the network, in the file's order."""
    shapes = family.shapes(space)
    theirs = {family.checkpoint_key(name): name for name in shapes}
    spellings: list[tuple[bool, dict[str, str], Callable[[str], str]]] = [(True, {n: n for n in shapes}, str)]
    if not _same_names(family, shapes):
        spellings.append((False, theirs, family.normalised_key))
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


def _expected(part: _Part, family: type[Supernet], space: SearchSpace) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors, with the part's number of classes."""
    shapes, classes = family.shapes(space), _classes(part, space)
    heads = {f"{_head(space)}.{suffix}" for suffix in ("weight", "bias")}
    return {name: (classes, *shape[1:]) if name in heads else shape for name, shape in shapes.items()}


def _head(space: SearchSpace) -> str | None:
    try:
        return head_name(space)
    except SpaceError:
        return None


def _classes(part: _Part, space: SearchSpace) -> int:
    bias = part.tensors.get(f"{_head(space)}.bias")
    return len(bias) if bias is not None and bias.ndim == 1 and len(bias) else n_classes(space)


def _same_names(family: type[Supernet], names: Mapping[str, object]) -> bool:
    return all(family.checkpoint_key(name) == name for name in names)


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


def _dialect(
    content: Mapping[Any, Any], part: _Part, found: SearchSpace, usual: SearchSpace, *, same_names: bool
) -> str:
    """A description of how the file names and stores the tensors; empty for a file of hwnas."""
    traits = []
    if part.path:
        traits.append(f"under {part}")
    if not part.ours and not same_names:
        traits.append("by its family's names")
    kinds = Counter(tensor.dtype for tensor in part.tensors.values() if tensor.dtype != torch.float32)
    for kind, n in kinds.items():
        name = _TYPES.get(kind, str(kind).removeprefix("torch."))
        traits.append(f"{'all' if n == len(part.tensors) else n} {name} made fp32")
    if n_classes(found) != n_classes(usual):
        traits.append(f"{n_classes(found):,} classes instead of {n_classes(usual):,}")
    others = [str(key) for key, value in content.items() if str(key) not in part.path[:1] and _is_aside(value, part)]
    if others:
        traits.append(f"left aside: {first_few(others)}")
    return ", ".join([f"{len(part.tensors)} tensors", *traits]) if traits else ""


def _is_aside(value: object, part: _Part) -> bool:
    """Whether another entry of the file lies outside the part: any does if the part is nested, else all but tensors."""
    return part.nest > 0 or not isinstance(value, Tensor)
