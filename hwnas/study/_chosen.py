"""The subnet to export, and its accuracy as far as it is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hwnas.progress import notice
from hwnas.study._prepare import ANY_PRECISION
from hwnas.study._provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.supernet import Supernet


@dataclass(frozen=True)
class Known:
    """A known accuracy.

    Attributes:
        value: value of the supernet's metric.
        source: its source, in words.
    """

    value: float
    source: str

    def facts(self, name: str) -> dict[str, str]:
        """Value and source, for a file."""
        return {name: f"{self.value:.4f}", f"{name}_source": self.source}


@dataclass(frozen=True)
class ChosenSubnet:
    """The subnet to export, and its accuracy as far as it is known.

    Attributes:
        arch: the subnet.
        accuracy: None if unknown.
        measured: whether it was measured with each layer in its own precision.
    """

    arch: Mapping[str, Any]
    accuracy: Known | None = None
    measured: bool = False

    @classmethod
    def of(cls, arch: Mapping[str, Any], cells: pd.Series[Any], metric: str, place: str) -> ChosenSubnet:
        """The subnet in a row that ``search`` or ``evaluate`` wrote.

        Args:
            arch: the subnet.
            cells: the cells of the row.
            metric: column of the accuracy.
            place: file and row, in words.
        """
        import pandas as pd

        accuracy = float(pd.to_numeric(cells.get(metric, math.nan), errors="coerce"))
        if not math.isfinite(accuracy):
            return cls(arch)
        counted = f"measured on {cells['n_images']} samples" if "n_images" in cells else None
        source = cells.get(f"{metric}_source", counted)
        return cls(arch, Known(accuracy, f"{source or 'predicted'} ({place})"), source is not None)

    def with_weights_of(self, net: Supernet, provenance: Provenance) -> ChosenSubnet:
        """The subnet, without its accuracy if the provenance says that it was measured with other weights."""
        evaluator, verified = provenance.evaluator or {}, provenance.verified or {}
        weights = evaluator.get("weights") or (verified.get("text") or {}).get("digest")
        if not self.measured or weights is None or net.digest in weights:
            return self
        notice(
            f"the {net.measures().label.lower()} of that row was measured with other weights: --images N measures it with these"
        )
        return replace(self, accuracy=None)

    def is_of_precisions(self, provenance: Provenance) -> bool:
        """Whether the accuracy holds for layers in their own precisions; most predictors only know fp32."""
        predictor = provenance.predictor
        return self.measured or (predictor is not None and predictor.get("kind") != ANY_PRECISION)
