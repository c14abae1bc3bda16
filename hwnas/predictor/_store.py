"""Storing predictors: one safetensors file each, with a JSON header that names kind and space.

Reading runs no code from the file. The header holds a digest of the whole file, which reveals any changed byte. Files of format
1 have no digest and can still be read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.errors import PredictorError
from hwnas.files import ends_in, replacing
from hwnas.predictor._base import Card, Predictor
from hwnas.predictor._ofa import OfaNet
from hwnas.space import SearchSpace

FORMAT = 2
_READABLE_FORMATS = (1, FORMAT)
_HEADER = "hwnas"
_DIGEST = "sha256"
_NO_DIGEST = "0" * 64
"""Placeholder of the digest while it is computed."""

_TORCH_STARTS = (b"PK\x03\x04", b"\x80\x02\x8a\n")
"""First bytes of torch's files: archives, and the older format. A safetensors file begins with the length of its header, which
these bytes would make 67 MB or more."""


def save_predictor(predictor: Predictor, path: str | os.PathLike[str]) -> None:
    """Write a fitted predictor, atomically. The same predictor gives the same bytes.

    Raises:
        PredictorError: the predictor is not fitted.
        DataError: the path cannot be written.
    """
    from safetensors.numpy import save

    if not predictor.fitted:
        raise PredictorError(f"{predictor.kind} predictor", "it was not fitted", "fit it before saving")
    arrays, settings = predictor.state()
    header = {
        "format": FORMAT,
        _DIGEST: _NO_DIGEST,
        "kind": predictor.kind,
        "space": predictor.space.name,
        "fingerprint": predictor.space.fingerprint,
        "seed": predictor.seed,
        "card": asdict(predictor.card),
        "settings": settings,
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    content = save(contiguous, metadata={_HEADER: json.dumps(header)})
    digest = hashlib.sha256(content).hexdigest()
    with replacing(path) as part:
        part.write_bytes(content.replace(_NO_DIGEST.encode(), digest.encode(), 1))


def load_predictor(path: str | os.PathLike[str], space: SearchSpace, kinds: Mapping[str, type[Predictor]]) -> Predictor:
    """Read a stored predictor, or a ``.pth`` file that OFA released.

    Raises:
        PredictorError: the file is missing or damaged, holds Python objects, has a newer format, or belongs to another space.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise PredictorError(
            f"file {path}", f"it cannot be read ({error.strerror or error})", "check the path"
        ) from error
    if start in _TORCH_STARTS or ends_in(path, ".pth", ".pt"):
        return OfaNet.read(path, space)
    header, arrays = _read(path)
    try:
        kind, owner, fingerprint = str(header["kind"]), str(header["space"]), str(header["fingerprint"])
        if header["format"] not in _READABLE_FORMATS:
            found = f"format {header['format']}"
            rule = f"this version reads {' and '.join(map(str, _READABLE_FORMATS))}"
            raise PredictorError(f"file {path}, {found}", rule, "upgrade hwnas, or fit it anew")
        if owner != space.name or fingerprint != space.fingerprint:
            rule, remedy = f"it belongs to space {owner}, not {space.name}", f"pass a predictor of {space.name}"
            if owner == space.name:  # such as a network, and what was trained from it for shorter texts
                rule = f"it was fitted on another {owner}, whose genes have other choices"
                remedy = "name the space that it was fitted on, or fit it anew"
            raise PredictorError(f"predictor {path}", rule, remedy)
        if kind not in kinds:
            raise PredictorError(f"file {path}, kind {kind!r}", f"known kinds are {', '.join(kinds)}", "upgrade hwnas")
        predictor = kinds[kind](space, int(header["seed"]))
        predictor.card = Card(**header["card"])
        predictor.restore(arrays, header["settings"])
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(path) from error
    return predictor


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        header = json.loads(metadata[_HEADER])
        digest = header.get(_DIGEST)
        intact = digest == _digest_of(path, digest) if digest else header["format"] == 1
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path) from error
    if not intact:
        rule = "it was changed after it was written: its digest does not match"
        raise PredictorError(f"file {path}", rule, "restore it, or fit it anew with `hwnas fit`")
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise _damaged(path)
    return header, arrays


def _digest_of(path: Path, digest: str) -> str:
    """Digest of the file as it was before its digest was put in."""
    return hashlib.sha256(path.read_bytes().replace(digest.encode(), _NO_DIGEST.encode(), 1)).hexdigest()


def _damaged(path: Path) -> PredictorError:
    return PredictorError(f"file {path}", "it is no predictor of hwnas, or damaged", "fit it anew with `hwnas fit`")
