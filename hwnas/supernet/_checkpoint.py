"""Reading checkpoints: tensors only, never objects; and saying how one differs from what was expected."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hwnas.errors import SupernetError


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Tensors by key, on the CPU.

    Raises:
        SupernetError: missing, truncated, corrupt, or it holds objects other than tensors.
    """
    file, name = Path(path), f"checkpoint {path}"
    if not file.is_file():
        raise SupernetError(name, "there is no such file", "fetch it with hwnas download, or give another path")
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (SafetensorError, OSError) as error:
            raise SupernetError(
                name, f"it is not a readable safetensors file ({_line(error)})", "copy it anew"
            ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickle protocols of files that are refused below
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        with file.open("rb") as stream:
            is_pickle = stream.read(1) == b"\x80"
        if is_pickle or "Unsupported operand" not in str(error):
            rule, remedy = "it holds Python objects, which could run code", "save its state_dict() instead"
        else:
            rule, remedy = "it is corrupt or not a torch file", "download it again"
        raise SupernetError(name, rule, remedy) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise SupernetError(name, f"it is truncated or corrupt ({_line(error)})", "download it again") from None
    return _state_dict(name, content)


def _state_dict(name: str, content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise SupernetError(name, "it holds no state dict of tensors", "save the network's state_dict()")
    return {str(key): value for key, value in content.items()}


def write_safetensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    save_file({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, path, metadata=dict(metadata))


def check_tensors(
    origin: str, found: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], network: str
) -> None:
    """Compare keys and shapes; unknown counters (``num_batches_tracked``) do not matter.

    Raises:
        SupernetError: names the first three differences.
    """
    differences = []
    for key, shape in expected.items():
        if key not in found:
            differences.append(f"{key} is missing")
        elif tuple(found[key].shape) != shape:
            differences.append(f"{key} is {_shown(found[key].shape)}, not {_shown(shape)}")
    unknown = [k for k in found if k not in expected and not k.endswith("num_batches_tracked")]
    differences += [f"{key} {_shown(found[key].shape)} is unknown" for key in unknown]
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        rule = f"it does not fit {network}: {', '.join(differences[:3])}{more}"
        raise SupernetError(origin, rule, "name the supernet that it belongs to with --supernet")
    for key in expected:
        if not torch.isfinite(found[key]).all():
            raise SupernetError(origin, f"{key} holds NaN or infinite values", "download it again")


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(str(s) for s in shape) or "scalar"


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
