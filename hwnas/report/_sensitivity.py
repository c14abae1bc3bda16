"""How much each layer changes the logits in int8, as a search measured it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.quantity import count_of
from hwnas.report._fitting import FittingTable


def sensitivity_table(facts: Mapping[str, Any]) -> FittingTable | None:
    """One row per layer, the largest change first; None if the provenance has none."""
    told = (facts.get("evaluator") or {}).get("sensitivity") or []
    if not told:
        return None
    images = told[0]["images"]
    table = FittingTable(
        caption=f"one layer of the largest subnet in int8, against fp32, on {count_of(images, 'image')}"
    )
    rows = sorted(told, key=lambda row: -row["logit_error_pct"])
    table.add_column("Layer in int8", [row["layer"] for row in rows], rank=0, left=True)
    table.add_column("Logit error (%)", [f"{row['logit_error_pct']:.2f}" for row in rows], rank=1)
    table.add_column("Decided alike (%)", [f"{row['alike_pct']:.1f}" for row in rows], rank=2)
    return table
