"""Warm start: subnets or accuracies from another device, resolution or data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwnas.errors import DataError, HwnasError
from hwnas.files import ends_in, file_hash
from hwnas.metric import QUALITY
from hwnas.progress import notice
from hwnas.study._measured_data import errors_in
from hwnas.wording import count_of

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.predictor import Predictor
    from hwnas.search import MetricFunction
    from hwnas.space import Population, SearchSpace


KIND = "gp"
"""Kind of the predictor that is fitted to a prior's measurements."""

FIRST = 20
"""Most given rows to start from if every row costs an evaluation."""


@dataclass(frozen=True)
class Warm:
    """The start of a search.

    Attributes:
        rows: ``(n, g)`` rows to score first; None if there are none.
        prior: predicts accuracies measured elsewhere; None if there is none.
        facts: facts for the provenance.
    """

    rows: Population | None = None
    prior: MetricFunction | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def warm_start(space: SearchSpace, seed_archs: Path | None, prior: str | None, *, evaluated: str | None) -> Warm:
    """Read the files of a warm start.

    Args:
        space: the searched space; rows outside it are left out.
        seed_archs: a CSV of subnets.
        prior: a CSV of measured accuracies, or a predictor.
        evaluated: the column that is evaluated row by row, for which a long file is thinned evenly; None if none is.

    Raises:
        HwnasError: a file does not fit, or none of its rows is in the space.
    """
    rows, predict, facts = None, None, {}
    if seed_archs is not None:
        rows = _rows(space, seed_archs, most=FIRST if evaluated is not None else None)
        facts["seed_archs"] = {"name": seed_archs.name, "sha256": file_hash(seed_archs), "rows": len(rows)}
    if prior is not None:
        predictor = _prior(space, prior, evaluated or QUALITY.column)
        predict = predictor.predict
        facts["prior"] = {"name": Path(prior).name, "kind": predictor.kind}
        if Path(prior).is_file():
            facts["prior"]["sha256"] = file_hash(prior)
    return Warm(rows, predict, {"warm_start": facts} if facts else {})


def _rows(space: SearchSpace, path: Path, most: int | None) -> Population:
    from hwnas.io import in_file, read_archs, read_csv
    from hwnas.report import thinned

    with in_file(path):  # archs are of the whole space, whatever --fix leaves of it
        x = read_archs(read_csv(path), space.whole)
    x = x[np.sort(np.unique(x, axis=0, return_index=True)[1])]
    inside = x[space.contains(x)]
    if not len(inside):
        rule = f"none of its subnets ({len(x)}) is in the searched space"
        raise DataError(f"seed archs {path}", rule, "widen --fix")
    kept = inside if most is None else inside[thinned(len(inside), most)]
    if len(kept) < len(x):
        notice(f"the search starts from {len(kept)} of {count_of(len(x), 'subnet')} of {path}")
    return kept


def _prior(space: SearchSpace, name: str, column: str) -> Predictor:
    from hwnas.io import in_file, read_archs, read_csv, read_metric
    from hwnas.predictor import get_predictor, in_any_precision, new_predictor

    path = Path(name)
    if not ends_in(path, ".csv", ".csv.gz"):
        predictor = get_predictor(name, space.whole)
    else:
        frame = read_csv(path)
        whole = _space_of(frame, space.whole)
        with in_file(path):
            x, y = read_archs(frame, whole), read_metric(frame, column)
        fitted = new_predictor(KIND, whole).fit(x, y, errors=errors_in(frame, column, y))
        # The search may visit resolutions at which nothing was measured; the prior extrapolates to them.
        ends = np.array([[d[0] for d in space.domain], [d[-1] for d in space.domain]], np.int16)
        fitted.extend_coverage(ends[:, : whole.n_genes])
        predictor = in_any_precision(fitted, space.whole)
    if any(len(a) < len(b) for a, b in zip(predictor.covered(space).domain, space.domain, strict=True)):
        covered = ", ".join(f"{gene} {', '.join(map(str, v))}" for gene, v in predictor.card.covered.items())
        raise DataError(f"prior {name}", f"it covers only {covered}", "keep to them with --fix")
    return predictor


def _space_of(frame: pd.DataFrame, space: SearchSpace) -> SearchSpace:
    """The space of the archs in a frame: the plain space if they have no precisions."""
    from hwnas.io import read_archs

    if space.plain is None:
        return space
    try:
        read_archs(frame, space.plain)
    except HwnasError:
        return space
    return space.plain
