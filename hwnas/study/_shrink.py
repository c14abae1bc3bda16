"""A space without the choices that the front of a device can do without, as a file that commands take for a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import DataError, SpaceError
from hwnas.metric import LATENCY
from hwnas.progress import progress
from hwnas.study._front import Front
from hwnas.study._request import Request
from hwnas.study._setup import prepare
from hwnas.study._space import DEFAULT_SPACE

if TYPE_CHECKING:
    from hwnas.search import SearchProgress
    from hwnas.space import Population, SearchSpace


@dataclass(frozen=True)
class ShrunkSpace:
    """What is left of a space.

    Attributes:
        whole, space: before and after; rows mean the same in both.
        reference: of the whole.
        about: the front that decided, and its device, for the file.
    """

    whole: SearchSpace
    space: SearchSpace
    reference: str
    about: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write it, for ``--space`` and ``--supernet``."""
        from hwnas.io import KeptChoices

        KeptChoices.of(self.space, self.reference, self.about).save(path)


def shrink(request: Request, share: float) -> ShrunkSpace:
    """The part of a space that the front of its objectives needs: the exact front where it can be had.

    Args:
        request: the space, objectives, budgets and device.
        share: of the hypervolume, that is kept at least.

    Raises:
        HwnasError: what is asked for cannot be told, or no reference leads to the space.
    """
    from hwnas.search import best_known

    if request.library is not None:
        raise DataError(f"library {request.library}", "no reference leads to its space", "pass --space NAME")
    reference = DEFAULT_SPACE if request.space is None else request.space
    if not isinstance(reference, str):
        raise SpaceError(repr(reference), "no reference leads to it", "name the space")
    setup = prepare(request)
    problem = setup.problem()
    with progress("searching") as advance:

        def report(p: SearchProgress) -> None:
            advance(p.evaluations, p.budget, f"subnets scored, {p.front} on the front")

        x, how = best_known(problem, report)
    values = problem.evaluate(x)
    told = {o.name: values[o.name] for o in problem.objectives}
    device = setup.table.it.label if setup.table is not None and LATENCY.column in problem.metrics else None
    return _of(setup.metrics.space, reference, x, told, [o.maximise for o in problem.objectives], share, how, device)


def shrink_to(front: Front, share: float) -> ShrunkSpace:
    """The part of a space that is needed for a front found in it, by whatever search.

    Raises:
        DataError: it is not known where its archs belong, or what was traded off.
    """
    told = front.provenance
    if front.space is None:
        raise DataError(f"file {front.path}", "nothing beside it tells its space", "pass --space NAME to a new search")
    known = [name for name in told.objectives if name in front.frame.columns and name in told.directions]
    if not known or len(known) < len(told.objectives):
        rule = "its CSV and the JSON beside it do not tell what was traded off, and which way is better"
        raise DataError(f"file {front.path}", rule, "search again")
    about = front.facts.get("space") or {}
    reference = str(about.get("reference") or about.get("name") or front.space.name)
    x = front.space.encode_many(front.to_frame()["arch"].tolist())
    values = {name: front.frame[name].to_numpy(dtype=float) for name in told.objectives}
    maximise = [told.directions[name] == "max" for name in told.objectives]
    device = front.facts.get("device") or {}
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
