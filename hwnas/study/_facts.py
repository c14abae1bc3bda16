"""What the provenance of a front says of the search: space, objectives, budgets, how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.files import ends_in, file_hash
from hwnas.metric import Budget, Direction

if TYPE_CHECKING:
    from hwnas.search import SearchResult
    from hwnas.space import SearchSpace


def space_facts(space: SearchSpace, reference: str | None = None) -> dict[str, Any]:
    """The identity of the space, its reference if it is no registered name, and the genes whose choices were
    restricted."""
    return {
        "name": space.name,
        "fingerprint": space.fingerprint,
        "subnets": space.size(),
        "restricted": space.restrictions,
        **({"reference": reference} if reference is not None else {}),
    }


def weights_facts(reference: str, checkpoint: Path | None) -> dict[str, str] | None:
    """The file of the weights that were searched, and its digest, for ``export``; None if none was named."""
    from hwnas.supernet import reference_kind

    kind = reference_kind(reference)
    path = checkpoint or (kind.weights(reference) if kind.carries_weights else None)
    return {"file": str(path), "sha256": weights_hash(path)} if path is not None else None


def weights_hash(path: Path) -> str:
    """Of a file of weights, or of what is read of a folder, or beside GGUF; what else a folder holds, such as results, may change.

    Raises:
        SupernetError: a folder without weights.
    """
    from hwnas.supernet import checkpoint_file

    file = checkpoint_file(path)
    if not file.is_dir() and not ends_in(file, ".gguf"):
        return file_hash(file)  # without torch
    from hwnas.supernet.hf import files_read

    read = {*files_read(file)}
    return file_hash(file) if read == {file} else file_hash(file if file.is_dir() else file.parent, read)


def budget_facts(budgets: Mapping[str, Budget]) -> dict[str, dict[str, float]]:
    """Upper bounds and, where there are any, lower ones, by column."""
    floors = {name: b.lower for name, b in budgets.items() if b.lower > -math.inf}
    facts = {"budgets": {name: b.upper for name, b in budgets.items() if b.upper < math.inf}}
    return facts | ({"floors": floors} if floors else {})


def directions_of(result: SearchResult) -> dict[str, Direction]:
    """Which way is better of each objective."""
    return {o.name: "max" if o.maximise else "min" for o in result.problem.objectives}


def search_facts(result: SearchResult, budgets: Mapping[str, Budget], settings: Mapping[str, int]) -> dict[str, Any]:
    """How the front was found, and how large it is."""
    from hwnas.report import hypervolume

    objectives = result.problem.objectives
    values = np.stack([result.values[o.name] for o in objectives], axis=1)
    return {
        "objectives": [o.name for o in objectives],
        "directions": directions_of(result),
        **budget_facts(budgets),
        "searcher": {"name": result.searcher, "seed": result.seed, **settings},
        "evaluations": result.evaluations,
        "hypervolume": {
            "value": hypervolume(values, result.reference, [o.maximise for o in objectives]),
            "reference": dict(zip((o.name for o in objectives), result.reference, strict=True)),
        },
        "trace": [[evaluations, float(f"{volume:.7g}")] for evaluations, volume in result.trace],
        "certificate": dict(result.certificate),
    }
