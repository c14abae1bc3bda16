"""The subnet that is exported, and what is known of its accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hwnas.progress import notice
from hwnas.study._setup import ANY_PRECISION

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.supernet import Supernet


@dataclass(frozen=True)
class ChosenSubnet:
    """The subnet to export, and what is known of its accuracy.

    Attributes:
        arch: the subnet.
        accuracy: of the metric that its supernet is evaluated by; None if it is not known.
        source: where that comes from, in words.
        measured: whether it was measured, layers computing in their precisions.
    """

    arch: Mapping[str, Any]
    accuracy: float | None = None
    source: str = ""
    measured: bool = False

    @classmethod
    def of(cls, arch: Mapping[str, Any], cells: pd.Series[Any], metric: str, place: str) -> ChosenSubnet:
        """The subnet of a row that `search` or `evaluate` wrote.

        Args:
            arch: the subnet.
            cells: of the row.
            metric: the column of the accuracy.
            place: of the row, in words.
        """
        import pandas as pd

        accuracy = float(pd.to_numeric(cells.get(metric, math.nan), errors="coerce"))
        if not math.isfinite(accuracy):
            return cls(arch)
        counted = f"measured on {cells['n_images']} samples" if "n_images" in cells else None
        told = cells.get(f"{metric}_source", counted)
        return cls(arch, accuracy, f"{told or 'predicted'} ({place})", told is not None)

    def of_weights(self, net: Supernet, found: Mapping[str, Any]) -> ChosenSubnet:
        """The same, without an accuracy that the provenance tells to be measured with other weights."""
        evaluator, verified = (found.get(key) or {} for key in ("evaluator", "verified"))
        told = evaluator.get("weights") or (verified.get("text") or {}).get("digest")
        if not self.measured or told is None or net.digest in told:
            return self
        notice(
            f"the {net.measures().label.lower()} of that row was measured with other weights: --images N measures it with these"
        )
        return replace(self, accuracy=None)

    def is_of_precisions(self, found: Mapping[str, Any]) -> bool:
        """Whether the accuracy that is known is that of layers in their precisions; most predictors know fp32 alone."""
        predictor = found.get("predictor")
        return self.measured or (predictor is not None and predictor.get("kind") != ANY_PRECISION)

    def facts(self, metric: str) -> dict[str, str]:
        """The accuracy by its metric, and where it comes from; empty if it is not known."""
        if self.accuracy is None:
            return {}
        return {metric: f"{self.accuracy:.4f}", f"{metric}_source": self.source}
