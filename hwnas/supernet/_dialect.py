"""Find a network's tensors in whatever a training script saved.

Files nest and prefix: ``{"state_dict_ema": {"module.first_conv.conv.weight": ...}, "optimizer": ...}``. To us both are
paths: a *part* is what lies below one path, and it fits if every tensor of the network is there, by our names or by
its family's. The classifier may have another number of classes.
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
"""Levels of nesting that are looked into."""

_TYPES = {torch.float16: "fp16", torch.bfloat16: "bf16", torch.float64: "fp64"}


@dataclass(frozen=True)
class Matched:
    """A checkpoint's network.

    Attributes:
        tensors: fp32, by our names.
        space: with the checkpoint's number of classes.
        dialect: how the file has them, in words.
    """

    tensors: dict[str, Tensor]
    space: SearchSpace
    dialect: str


@dataclass
class _Part:
    """Tensors below one path of a file.

    Attributes:
        path: keys of nested dicts, then prefixes of names.
        nest: how many of them are keys of nested dicts.
        ours: whether it has our names, not the family's.
        names: the file's name of each of our tensors.
        tensors: by our names.
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
        asked: path of the part to take; None if there is but one.
        origin: the file, for messages.
        family: how it names and shapes tensors.
        space: with its usual number of classes.

    Raises:
        SupernetError: of another network, of several that differ, or with values that are no numbers.
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
    return Matched(tensors, found, _told(content, part, found, space, same_names=_same_names(family, expected)))


def _parts(content: Mapping[Any, Any], family: type[Supernet], space: SearchSpace) -> list[_Part]:
    """Everything that has a tensor of the network, in the file's order."""
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
    """Every dict that holds tensors, with its path and its tensors; once, though it may hold itself."""
    seen = seen if seen is not None else set()
    seen.add(id(content))
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    for key, value in content.items():
        if isinstance(value, Mapping) and len(path) < DEEPEST and id(value) not in seen:
            yield from _nests(value, (*path, str(key)), seen)


def _expected(part: _Part, family: type[Supernet], space: SearchSpace) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors, with as many classes as the part has."""
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
    """The one part that fits, or the first of several with the same values."""
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
    """Tensors below a part's path that belong to no op, in words; counters are ignored."""
    tensors = dict(_nests(content)).get(part.path[: part.nest], {})
    prefix = part.path[part.nest :]
    beside = [p.path[p.nest :] for p in parts if p.path[: p.nest] == part.path[: part.nest] and p is not part]
    beside = [path for path in beside if len(path) > len(prefix)]
    known = set(part.names.values())
    told = []
    for key, tensor in tensors.items():
        words = tuple(key.split("."))
        of_it = words[: len(prefix)] == prefix and not any(words[: len(path)] == path for path in beside)
        if of_it and key not in known and tensor.numel() > 1:
            told.append(f"{key} {shown(tensor.shape)} is unknown")
    return told


def _told(content: Mapping[Any, Any], part: _Part, found: SearchSpace, usual: SearchSpace, *, same_names: bool) -> str:
    """The dialect in words; empty for a file as we write them."""
    told = []
    if part.path:
        told.append(f"under {part}")
    if not part.ours and not same_names:
        told.append("by its family's names")
    kinds = Counter(tensor.dtype for tensor in part.tensors.values() if tensor.dtype != torch.float32)
    for kind, n in kinds.items():
        name = _TYPES.get(kind, str(kind).removeprefix("torch."))
        told.append(f"{'all' if n == len(part.tensors) else n} {name} made fp32")
    if n_classes(found) != n_classes(usual):
        told.append(f"{n_classes(found):,} classes instead of {n_classes(usual):,}")
    others = [str(key) for key, value in content.items() if str(key) not in part.path[:1] and _is_aside(value, part)]
    if others:
        told.append(f"left aside: {first_few(others)}")
    return ", ".join([f"{len(part.tensors)} tensors", *told]) if told else ""


def _is_aside(value: object, part: _Part) -> bool:
    """Whether an entry of the file is not of the part: all others where the part is nested, else what is no tensor."""
    return part.nest > 0 or not isinstance(value, Tensor)
