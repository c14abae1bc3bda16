"""Reading checkpoint files, which may hold tensors in plain containers but never objects, and writing hwnas's own."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hwnas.errors import SupernetError
from hwnas.files import ends_in
from hwnas.wording import first_few

_DIGEST = "tensors_sha256"

_NUMBERS = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.bool_)]
_PLAIN: list[Any] = [argparse.Namespace, np.dtype, np.float64(0).__reduce__()[0], *_NUMBERS]
"""Settings and numpy numbers that training scripts save beside weights; loading them runs no code."""


def split_part(reference: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """The file and part that ``FILE`` or ``FILE:PART`` names."""
    path = Path(reference)
    file, colon, part = str(reference).rpartition(":")
    if not path.is_file() and colon and part and Path(file).is_file():
        return Path(file), part
    return path, None


def checkpoint_file(reference: str | os.PathLike[str]) -> Path:
    """The file or folder that ``PATH`` or ``FILE:PART`` names."""
    return split_part(reference)[0]


def read_content(path: str | os.PathLike[str]) -> Mapping[Any, Any]:
    """A file's content: tensors by key, perhaps nested, on the CPU.

    Raises:
        SupernetError: the file is missing, truncated or corrupt, or holds objects other than tensors, numbers and text.
    """
    file, name = Path(path), f"checkpoint {path}"
    if not file.is_file():
        rule = "it is a folder" if file.is_dir() else "there is no such file"
        raise SupernetError(name, rule, "fetch it with hwnas download, or give another path")
    with file.open("rb") as stream:
        start = stream.read(2)
    if ends_in(file, ".safetensors") or start not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return read_tensors(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickle protocols of files that are refused below
            with torch.serialization.safe_globals(_PLAIN):
                content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(name, str(error), is_pickle=start != b"PK") from None
    except Exception as error:  # noqa: BLE001 (damaged files fail in as many ways as there are bytes)
        raise SupernetError(name, f"it is truncated or corrupt ({_line(error)})", "download it again") from None
    if not isinstance(content, Mapping):
        raise SupernetError(name, "it holds no state dict of tensors", "save the network's state_dict()")
    return content


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Tensors of a safetensors file by key, on the CPU.

    Raises:
        SupernetError: the file is missing, truncated or corrupt, or hwnas wrote it with other tensors.
    """
    name = f"checkpoint {path}"
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (it is no mapping)
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        rule = f"it is neither a torch file nor readable as safetensors ({_line(error)})"
        raise SupernetError(name, rule, "download or copy it again") from None
    if _DIGEST in metadata and metadata[_DIGEST] != _digest(tensors):
        raise SupernetError(name, "its tensors are not those that were written: a byte has changed", "copy it again")
    return tensors


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors, with their digest in the metadata."""
    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    # safetensors' own save_file makes a file that only its owner may read.
    path.write_bytes(_ordered(save(plain, metadata={**metadata, _DIGEST: _digest(plain)})))


def _ordered(content: bytes) -> bytes:
    """The same file with sorted metadata: the library writes them in a different order each time."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[end:]


def check_tensors(
    origin: str, found: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], network: str
) -> None:
    """Check that every expected tensor is there, has the expected shape, and is real and finite.

    Raises:
        SupernetError: one is not; names the first three missing tensors or wrong shapes.
    """
    refuse(origin, network, differences(found, expected))
    for key in expected:
        tensor = found[key]
        if not (tensor.layout == torch.strided and tensor.is_floating_point() and tensor.device.type != "meta"):
            raise SupernetError(origin, f"{key} holds no real numbers ({tensor.dtype})", "save weights as floats")
        if not torch.isfinite(tensor).all():
            raise SupernetError(origin, f"{key} holds NaN or infinite values", "download or export it again")


def differences(found: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Sentences about tensors that are missing or have another shape."""
    sentences = []
    for key, shape in expected.items():
        if key not in found:
            sentences.append(f"{key} is missing")
        elif tuple(found[key].shape) != shape:
            sentences.append(f"{key} is {shown(found[key].shape)}, not {shown(shape)}")
    return sentences


class Misfit(SupernetError):
    """A checkpoint of another network."""


def refuse(origin: str, network: str, sentences: list[str]) -> None:
    """Refuse a checkpoint that differs from the network.

    Raises:
        Misfit: there are differences; names the first three.
    """
    if sentences:
        rule = f"it does not fit {network}: {first_few(sentences)}"
        raise Misfit(origin, rule, "name the supernet that it belongs to with --supernet")


def shown(shape: tuple[int, ...]) -> str:
    """``16x3x3x3``."""
    return "x".join(str(s) for s in shape) or "scalar"


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(key.encode())
        digest.update(tensors[key].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _refused(name: str, reason: str, *, is_pickle: bool) -> SupernetError:
    """The error for a file that torch's loader of plain tensors refuses."""
    found = re.search(r"GLOBAL ([\w.]+)", reason)
    if found or is_pickle:
        named = f" ({found[1]})" if found else ""
        rule, remedy = f"it holds Python objects{named}, which could run code", "save its state_dict() instead"
        return SupernetError(name, rule, remedy)
    return SupernetError(name, "it is corrupt or not a torch file", "download it again")


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
