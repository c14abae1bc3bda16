"""A folder's tensors by hwnas's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.files import ends_in
from hwnas.supernet._checkpoint import read_content
from hwnas.supernet.hf._family import Family
from hwnas.supernet.hf._folder import warn_adapter, weight_files

POSITIONS = "embeddings/positions.weight"


def read_folder(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder, by the folder's names. Tells of an adapter beside them.

    Raises:
        SupernetError: there are no weights, or a file is damaged or holds more than tensors.
    """
    tensors: dict[str, Tensor] = {}
    warn_adapter(folder)
    for file in weight_files(folder):
        found = read_content(file)
        tensors |= {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
    return tensors


def tensor_names(folder: Path) -> frozenset[str]:
    """Names of a folder's tensors. Only the headers of safetensors files are read.

    Raises:
        SupernetError: there are no weights, or a file is damaged.
    """
    names: set[str] = set()
    for file in weight_files(folder):
        if not ends_in(file, ".safetensors"):
            names |= set(map(str, read_content(file)))
            continue
        try:
            with safe_open(file, "pt") as opened:
                names |= set(opened.keys())
        except (SafetensorError, OSError) as error:
            rule = f"it is truncated or corrupt ({' '.join(str(error).split())[:120]})"
            raise SupernetError(f"weights {file}", rule, "download or copy it again") from None
    return frozenset(names)


def renamed(
    tensors: Mapping[str, Tensor], family: Family, wanted: Mapping[str, tuple[int, ...]], folder: str
) -> dict[str, Tensor]:
    """The network's tensors in fp32, by hwnas's names; those that the folder lacks are left out.

    Args:
        tensors: by the folder's names, with or without the family's prefix.
        family: states these names.
        wanted: shapes by hwnas's names.
        folder: for messages.

    Raises:
        SupernetError: the folder has more layers than its configuration, no positions behind the reserved ones, or lacks a
            residual's scale.
    """
    beyond = {key for op in family.names for key in _keys_beyond(op, family)} & set(tensors)
    if beyond:
        rule = f"its configuration counts {family.encoder.layers} layers, and its weights have {min(beyond)}"
        raise SupernetError(f"hf:{folder}", rule, "restore its config.json")
    found = {}
    for name, shape in wanted.items():
        parts = [next((tensors[key] for key in keys if key in tensors), None) for keys in _keys(name, family)]
        known = [part.float() if part.is_floating_point() else part for part in parts if part is not None]
        if len(known) == len(parts):
            found[name] = _scaled(name, _joined(known), tensors, family, folder)
            if found[name].dim() > len(shape):  # an image's learned tokens and positions have a batch axis
                found[name] = found[name].squeeze(0)
    if family.first_position and POSITIONS in found:
        found[POSITIONS] = found[POSITIONS][family.first_position :]
        if not len(found[POSITIONS]):
            raise SupernetError(f"hf:{folder}", "its table of positions is empty", "restore its weights")
    return found


def _keys_beyond(op: str, family: Family) -> list[str]:
    """The names that an op's weight would have in a layer after the last."""
    known = family.names[op]
    if "{i}" not in known:
        return []
    return [f"{prefix}{known.replace('{i}', str(family.encoder.layers))}.weight" for prefix in (family.prefix, "")]


def _scaled(name: str, tensor: Tensor, tensors: Mapping[str, Tensor], family: Family, folder: str) -> Tensor:
    """A weight or bias, multiplied by the vector that scales its op's output, if there is one."""
    op, layer = _in_any_layer(name.rpartition(".")[0])
    if op not in family.scales or not tensor.is_floating_point():
        return tensor
    key = family.scales[op].replace("{i}", layer)
    scale = tensors.get(family.prefix + key, tensors.get(key))
    if scale is None or scale.shape != tensor.shape[:1]:
        raise SupernetError(f"hf:{folder}", f"it has no {key} that fits {name}", "restore its weights")
    return tensor * scale.float().reshape(-1, *[1] * (tensor.dim() - 1))


def _joined(parts: list[Tensor]) -> Tensor:
    """One linear map of two tokens side by side that is the mean of two linear maps, of one token each."""
    if len(parts) == 1:
        return parts[0]
    return torch.stack(parts).mean(0) if parts[0].dim() == 1 else torch.cat(parts, dim=1) / len(parts)


def _keys(name: str, family: Family) -> list[list[str]]:
    """The names that a folder may have for a tensor, for each of the tensors that it is joined from.

    Old files call a norm's weight and bias gamma and beta, and some tensors outside layers have no ``.weight``.
    """
    op, _, part = name.rpartition(".")
    if op in family.head:
        return [[f"{head}.{part}"] for head in family.head[op]]
    inner, layer = _in_any_layer(op)
    known = family.names[inner].replace("{i}", layer)
    parts = [part, {"weight": "gamma", "bias": "beta"}[part]] if op.endswith("norm") else [part]
    endings = [*(f".{each}" for each in parts), ""]
    return [[f"{prefix}{known}{ending}" for prefix in (family.prefix, "") for ending in endings]]


def _in_any_layer(op: str) -> tuple[str, str]:
    """``layer.{i}/query`` and ``3`` for ``layer.3/query``; the op itself and an empty string outside layers."""
    slot, _, inner = op.partition("/")
    layer = slot.partition(".")[2]
    return (f"layer.{{i}}/{inner}", layer) if layer else (op, "")
