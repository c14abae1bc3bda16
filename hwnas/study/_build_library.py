"""``hwnas library build``: the alternatives of every block of a language model, with their scores and costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError
from hwnas.executor import HERE, Where
from hwnas.files import beside, together
from hwnas.study._divergence import divergences
from hwnas.study._library_file import KIND
from hwnas.study._model_on_text import ModelOnText
from hwnas.study._run_conditions import RunConditions

if TYPE_CHECKING:
    import pandas as pd

    from hwnas.study._lengths import Lengths


def scored_precision(text: str) -> str:
    """The precisions of ``--precision``: fp32, alone or with others that blocks may have.

    Raises:
        UnknownNameError: there is no such precision; the message suggests the nearest.
        DataError: fp32 is not among them.
    """
    from hwnas.graph import MIXED, parse_precision, precision_parts

    found = parse_precision(text)
    parts = precision_parts(found)
    if "fp32" not in parts:
        rule = "blocks are compared with the model's own, which are fp32"
        others = parts if set(parts) <= set(MIXED) else MIXED[1:]
        raise DataError(f"precision {text}", rule, f"write --precision fp32,{','.join(others)}")
    return found


def build_library(
    given: ModelOnText,
    out: Path,
    lengths: Lengths,
    where: Where = HERE,
    device: str | None = None,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score and time the alternatives of every block of a model; write them as a library, with its provenance.

    Args:
        given: the model, and the text to score on.
        out: the CSV; a journal of scores is kept beside it.
        lengths: lengths of the costs.
        where: where to score.
        device: the device to time on; None for no columns of latency.
        threads: threads of the device.

    Raises:
        HwnasError: something does not fit.
    """
    from hwnas.io import write_csv
    from hwnas.report import provenance_path, write_provenance
    from hwnas.study._facts import space_facts, weights_facts
    from hwnas.study._library_costs import library_frame, library_tables
    from hwnas.supernet import replacements

    space = given.net.space.opened_by(given.model)
    given.batches()  # refuses text that does not fit, before anything is timed
    conditions = RunConditions(threads, precision=given.precision)
    tables = library_tables(space, lengths, device, conditions) if device is not None else {}
    rows = [*replacements(space)]  # each has a single alternative in place
    found = divergences(given, rows, beside(out, "journal.jsonl"), where, "scoring blocks")
    scores = {row.tobytes(): each.kl for row, each in zip(rows, found, strict=True)}
    frame = library_frame(space, scores, lengths, {column: table.it for column, table in tables.items()})
    facts = {
        "kind": KIND,
        "space": space_facts(space, given.model),
        "weights": weights_facts(given.model, None),
        "scores": given.facts(),
        "lengths": asdict(lengths),
        "tables": {column: table.facts for column, table in tables.items()},
    }
    with together():
        write_csv(frame, out)
        write_provenance(facts, provenance_path(out))
    return frame
