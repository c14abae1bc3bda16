"""Facts of a search for the provenance: space, objectives, budgets, progress, sensitivity of layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.files import ends_in, file_hash
from hwnas.metric import Budget, Direction
from hwnas.progress import notice

if TYPE_CHECKING:
    from hwnas.latency import LatencyTable
    from hwnas.predictor import Predictor
    from hwnas.search import SearchResult
    from hwnas.space import SearchSpace
    from hwnas.study._found import Found
    from hwnas.supernet import Supernet
    from hwnas.task import Task


def space_facts(space: SearchSpace, reference: str | None = None) -> dict[str, Any]:
    """The identity of a space, its reference if its name is not registered, and restricted genes."""
    return {
        "name": space.name,
        "fingerprint": space.fingerprint,
        "subnets": space.size(),
        "restricted": space.restrictions,
        **({"reference": reference} if reference is not None else {}),
    }


OF_ROWS = (
    "objectives",
    "directions",
    "weights",
    "device",
    "devices",
    "predictor",
    "evaluator",
    "measured",
    "precision",
    "files",
)
"""Facts about the rows of a front, which hold as long as the cells do; the others are about the search that chose the rows."""


def predicted_facts(
    before: Mapping[str, Any],
    space: SearchSpace,
    accuracy: Found[Predictor] | None,
    table: Found[LatencyTable] | None,
) -> dict[str, Any]:
    """Facts of subnets whose metrics were predicted anew, so that no later command takes predictions for measurements.

    Args:
        before: the provenance of the subnets; may be empty.
        space: their space.
        accuracy: the predictor; None if it did not predict.
        table: the latency table; None if it did not predict.
    """
    facts = {name: before[name] for name in OF_ROWS if before.get(name) is not None}
    facts["space"] = space_facts(space, space.reference if space.reference != space.name else None)
    if table is not None:
        facts["device"] = table.facts
    if accuracy is not None:
        facts["predictor"] = accuracy.facts
        facts.pop("evaluator", None)
    return facts


def weights_facts(reference: str, checkpoint: Path | None) -> dict[str, str] | None:
    """The file of the searched weights and its digest, for ``export``; None if no file was named."""
    from hwnas.supernet import reference_kind

    kind = reference_kind(reference)
    path = checkpoint or (kind.weights() if kind.carries_weights else None)
    return {"file": str(path), "sha256": weights_hash(path)} if path is not None else None


def weights_hash(path: Path) -> str:
    """Hash of a file of weights, or of the files that are read from a folder or beside GGUF; other files there may change.

    Raises:
        SupernetError: the folder has no weights.
    """
    from hwnas.supernet import checkpoint_file

    file = checkpoint_file(path)
    if not file.is_dir() and not ends_in(file, ".gguf"):
        return file_hash(file)  # without torch
    from hwnas.supernet.hf import files_read

    read = {*files_read(file)}
    return file_hash(file) if read == {file} else file_hash(file if file.is_dir() else file.parent, read)


def budget_facts(budgets: Mapping[str, Budget]) -> dict[str, dict[str, float]]:
    """Upper bounds by column, and lower ones if there are any."""
    floors = {name: b.lower for name, b in budgets.items() if b.lower > -math.inf}
    facts = {"budgets": {name: b.upper for name, b in budgets.items() if b.upper < math.inf}}
    return facts | ({"floors": floors} if floors else {})


def directions_of(result: SearchResult) -> dict[str, Direction]:
    """The better direction of each objective."""
    return {o.name: "max" if o.maximise else "min" for o in result.problem.objectives}


def search_facts(result: SearchResult, budgets: Mapping[str, Budget], settings: Mapping[str, int]) -> dict[str, Any]:
    """How the front was found, and its hypervolume."""
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


def sensitivity_facts(net: Supernet, space: SearchSpace, data: Task) -> list[dict[str, Any]]:
    """The loss of each layer alone in int8, for the provenance."""
    from hwnas.supernet import sensitivity

    found = sensitivity(net, space, data)
    if found:
        worst = max(found, key=lambda each: each.agreement.logit_error)
        notice(f"of {len(found)} layers {worst.layer} loses most in int8, alone: {worst.agreement}")
    return [
        {
            "layer": each.layer,
            "alike_pct": round(each.agreement.share_pct, 2),
            "logit_error_pct": round(100 * each.agreement.logit_error / (each.agreement.logit_spread or 1.0), 3),
            "images": each.agreement.n_images,
        }
        for each in found
    ]
