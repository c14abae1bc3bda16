"""``hwnas library check``: do the scores of a library add up?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hwnas.errors import DataError
from hwnas.executor import HERE, Where
from hwnas.metric import get_metric
from hwnas.study._divergence import divergences
from hwnas.study._library_file import SCORE, read_library, scored_on

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.study._additivity import Additivity


@dataclass(frozen=True)
class Checked:
    """Sums of scores beside measurements.

    Attributes:
        frame: per assembly: ``arch``, the sum of scores, and its measurements.
        raw: additivity of the scores.
        corrected: the same for corrected scores; each assembly is predicted from all others.
    """

    frame: pd.DataFrame
    raw: Additivity
    corrected: Additivity


def check_library(path: Path, data: Path | None, n: int, seed: int, journal: Path, where: Where = HERE) -> Checked:
    """Measure random assemblies of a library.

    Args:
        path: the library.
        data: the text to measure on; None for the one that the library was scored on.
        n: number of assemblies.
        seed: seed of the draw.
        journal: keeps measurements, so that a killed run resumes.
        where: where to measure.

    Raises:
        DataError: the library has no model or no scores.
    """
    import pandas as pd

    from hwnas.io import arch_column
    from hwnas.study._additivity import Additivity, assemblies, corrected

    library = read_library(path)
    if library.model is None or SCORE not in library.costs:
        rule = "no .json beside it names its model" if library.model is None else f"it has no column {SCORE}"
        raise DataError(f"library {path}", rule, "give one that `hwnas library build` wrote, and its .json beside it")
    given, cost = scored_on(library, data), library.costs[SCORE]
    x = assemblies(library.space, cost, n, np.random.default_rng(seed))
    found = divergences(given, [*x], journal, where, "measuring assemblies")
    predicted, measured = cost(x), np.array([max(each.kl, 1e-9) for each in found])
    *_, left_out = corrected(cost, x, measured)
    frame = pd.DataFrame(
        {
            "arch": arch_column(x, library.space),
            SCORE: predicted,
            get_metric(SCORE).companion("measured"): measured,
            "perplexity": [each.perplexity for each in found],
            "agreement": [each.agreement_pct for each in found],
        }
    )
    return Checked(frame, Additivity.of(predicted, measured), Additivity.of(left_out, measured))
