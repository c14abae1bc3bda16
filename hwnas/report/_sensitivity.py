"""The table of int8 sensitivities: how much each layer alone changes the logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwnas.report._fitting import FittingTable
from hwnas.wording import count_of


def sensitivity_table(facts: Mapping[str, Any]) -> FittingTable | None:
    """One row per layer, the largest change first; None if the provenance has none."""
    rows = sorted((facts.get("evaluator") or {}).get("sensitivity") or [], key=lambda row: -row["logit_error_pct"])
    if not rows:
        return None
    images = count_of(rows[0]["images"], "image")
    table = FittingTable(caption=f"one layer of the largest subnet in int8, against fp32, on {images}")
    table.add_column("Layer in int8", [row["layer"] for row in rows], rank=0, left=True)
    table.add_column("Logit error (%)", [f"{row['logit_error_pct']:.2f}" for row in rows], rank=1)
    table.add_column("Decided alike (%)", [f"{row['alike_pct']:.1f}" for row in rows], rank=2)
    return table
