"""Shrink a space to what a front needs, and save it as a file that commands accept as a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, SpaceError
from hwnas.metric import LATENCY
from hwnas.study._front import Front
from hwnas.study._prepare import prepare
from hwnas.study._request import Request
from hwnas.study._search import searching
from hwnas.study._space import DEFAULT_SPACE

if TYPE_CHECKING:
    from hwnas.space import Population, SearchSpace


@dataclass(frozen=True)
class ShrunkSpace:
    """A space, shrunk to what a front needs.

    Attributes:
        whole, space: the space before and after; rows mean the same in both.
        reference: reference of the whole space.
        about: facts about the front and its device, for the file.
    """

    whole: SearchSpace
    space: SearchSpace
    reference: str
    about: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write a file for ``--space`` and ``--supernet``."""
        from hwnas.io import KeptChoices

        KeptChoices.of(self.space, self.reference, self.about).save(path)


def shrink(request: Request, share: float) -> ShrunkSpace:
    """Shrink a space to what its front needs, which is the exact front if that can be computed.

    Args:
        request: the space, objectives, budgets and device.
        share: least share of the front's hypervolume to keep.

    Raises:
        HwnasError: the request does not fit, or no reference opens the space.
    """
    from hwnas.search import best_known

    if request.library is not None:
        raise DataError(f"library {request.library}", "no reference leads to its space", "pass --space NAME")
    reference = DEFAULT_SPACE if request.space is None else request.space
    if not isinstance(reference, str):
        raise SpaceError(repr(reference), "no reference leads to it", "name the space")
    setup = prepare(request)
    problem = setup.problem()
    with searching() as report:
        x, how = best_known(problem, report)
    found = problem.evaluate(x)
    values, maximise = {o.name: found[o.name] for o in problem.objectives}, [o.maximise for o in problem.objectives]
    space, table = setup.metrics.space, setup.metrics.table
    device = table.label if table is not None and LATENCY.column in problem.metrics else None
    return _of(space, reference, x, values, maximise, share, how, device)


def shrink_to(front: Front, share: float) -> ShrunkSpace:
    """Shrink a space to what a given front needs.

    Raises:
        DataError: the front's space, objectives or directions are unknown.
        SpaceError: its space does not open here.
    """
    provenance = front.provenance
    if front.space is None:
        if named := provenance.space.reference or provenance.space.name:
            rule = f"it was searched in {named}, which does not open here or has changed"
            raise SpaceError(f"file {front.path}", rule, "run the command where the search ran, or search again")
        raise DataError(f"file {front.path}", "no JSON beside it names its space", "pass --space NAME to a new search")
    objectives = provenance.objectives
    if not objectives or any(n not in front.frame.columns or n not in provenance.directions for n in objectives):
        rule = "the CSV and the JSON beside it do not state the objectives and their directions"
        raise DataError(f"file {front.path}", rule, "search again")
    reference = provenance.space.reference or provenance.space.name or front.space.name
    x = front.space.encode_many(front.to_frame()["arch"].tolist())
    values = {name: front.frame[name].to_numpy(dtype=float) for name in objectives}
    maximise = [provenance.directions[name] == "max" for name in objectives]
    device = provenance.device or {}
    return _of(front.space, reference, x, values, maximise, share, "found", device.get("label") or device.get("name"))


def _of(
    space: SearchSpace,
    reference: str,
    x: Population,
    values: Mapping[str, NDArray[np.float64]],
    maximise: Sequence[bool],
    share: float,
    how: str,
    device: str | None,
) -> ShrunkSpace:
    from hwnas.search import shrunk
    from hwnas.space import precisions_named
    from hwnas.supernet import reference_kind

    part, kept = shrunk(space, x, np.stack(list(values.values()), axis=1), maximise, share)
    if space.precisions:
        reference, _ = precisions_named(reference)
    about = {
        "device": device,
        "objectives": list(values),
        "front": how,
        "rows": len(x),
        "hypervolume_kept_pct": round(100 * kept, 3),
        "subnets": part.size(),
        "subnets_before": space.size(),
    }
    return ShrunkSpace(space, part, reference_kind(reference).whole or reference, about)
