"""Fitting a predictor and scoring it on held-out subnets, for ``hwnas fit``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwnas.predictor._base import Card, Predictor, Vector
from hwnas.predictor._score import Scores, curve_point, curve_sizes, k_fold, score, subnet_groups
from hwnas.progress import progress
from hwnas.space import Population
from hwnas.wording import count_of

REPEATS = 3
"""Random draws of subnets behind a point of the learning curve, up to ``FEW`` subnets; one draw beyond that."""

FEW = 400


@dataclass(frozen=True)
class Fitted:
    """A predictor fitted to all rows, whose card holds the held-out scores.

    Attributes:
        predictor: fitted to all rows.
        scores: of out-of-fold predictions.
        curve: learning curve: a number of training subnets, and the scores on all others.
    """

    predictor: Predictor
    scores: Scores
    curve: Sequence[tuple[int, Scores]]


def fit_and_score(
    predictor: Predictor, x: Population, y: Vector, card: Card, *, k: int, seed: int, errors: Vector | None = None
) -> Fitted:
    """Fit to all rows, then to parts of them for the scores.

    Hyperparameters are searched for once, on all rows; folds and the learning curve reuse them.

    Args:
        predictor: unfitted.
        x: ``(n, g)`` rows.
        y: ``(n,)`` measured values.
        card: describes the values; the covered choices and the scores are added to it.
        k: number of folds.
        seed: of folds and of the learning curve.
        errors: ``(n,)`` standard errors of the values, due to the choice of samples that all were measured on; None if unknown.

    Raises:
        PredictorError: as :meth:`Predictor.fit`, or there are fewer subnets than folds.
    """
    sizes = curve_sizes(int(subnet_groups(predictor.space, x).max(initial=-1)) + 1)
    steps = 1 + k + len(sizes)
    errors = errors if predictor.hears_errors else None
    with progress("fitting") as advance:
        advance(0, steps, count_of(len(x), "row"))
        predictor.fit(x, y, errors=errors)
        predicted, std = k_fold(
            predictor.unfitted, predictor.space, x, y, errors, k=k, seed=seed,
            progress=lambda fold: advance(1 + fold, steps, f"cross-validating, fold {fold + 1} of {k}"),
        )  # fmt: skip
        curve: list[tuple[int, Scores]] = []
        for i, size in enumerate(sizes):
            advance(1 + k + i, steps, f"learning curve, {size:,} subnets")
            repeats = REPEATS if size <= FEW else 1
            point = curve_point(predictor.unfitted, predictor.space, x, y, size, errors, repeats=repeats, seed=seed)
            curve.append((size, point))
    whole = score(predicted, y, std)
    scores = {f"{k}_fold": whole.as_dict(), "learning_curve": {str(n): s.as_dict() for n, s in curve}}
    predictor.card = replace(card, covered=predictor.card.covered, scores=scores)
    return Fitted(predictor, whole, curve)
