"""``hwnas compare``: compare fronts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hwnas.arguments import parts_of
from hwnas.cli._console import say, show
from hwnas.cli._options import PICTURES, AsJson
from hwnas.cli._out import check_out
from hwnas.errors import DataError
from hwnas.progress import notice


def compare(
    fronts: Annotated[list[Path], typer.Argument(help="Pareto CSVs that `hwnas search` wrote.", metavar="A.csv B.csv")],
    objectives: Annotated[
        str | None,
        typer.Option("--objectives", help="Columns to compare, two or more; default: those searched.", metavar="LIST"),
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Compare even different spaces or devices.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture to write: .png, .svg or .pdf.", metavar="FILE")
    ] = None,
    to_json: AsJson = False,
) -> None:
    """Compare fronts: hypervolumes, dominance, what each front adds, and the best subnets within equal budgets.

    Example: hwnas compare nsga2.csv random.csv --out compare.png
    """
    from hwnas.report import NamedFront, comparison_tables, read_pareto, read_provenance, save_comparison
    from hwnas.report import compare as compared

    if out is not None:
        check_out(out, "a picture", *PICTURES)
    wanted = parts_of(objectives, "--objectives ") if objectives is not None else None
    named = zip(_names(fronts), fronts, strict=True)
    result = compared([NamedFront(n, read_pareto(p), read_provenance(p)) for n, p in named], wanted, anyway=anyway)
    for note in result.notes:
        notice(f"note: {note}")
    if out is not None:
        save_comparison(result, out)
    if to_json:
        say(json.dumps(result.to_json(), indent=2))
        return
    for i, part in enumerate(comparison_tables(result)):
        if i:
            say()
        if isinstance(part, str):
            say(part)
        else:
            show(part)
    if out is not None:
        say(f"\nwrote {out}")


def _names(paths: list[Path]) -> list[str]:
    """File names without suffix if they differ, otherwise whole paths.

    Raises:
        DataError: one file is given twice.
    """
    for i, path in enumerate(paths):
        if path.resolve() in [p.resolve() for p in paths[:i]]:
            raise DataError(f"file {path}", "it is given twice", "name each front once")
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
