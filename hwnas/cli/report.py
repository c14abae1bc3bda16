"""``hwnas report``: the picture and the table of a front again, from its CSV."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._console import show
from hwnas.cli._front import as_json, picture_of
from hwnas.cli._options import AsJson
from hwnas.errors import DataError

SUFFIXES = (".png", ".svg", ".pdf")


def report(
    front: Annotated[Path, typer.Argument(help="Pareto CSV that `hwnas search` wrote.", metavar="PARETO.csv")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Picture to write: .png, .svg or .pdf; default: beside the CSV, .png.", metavar="FILE"
        ),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", help="Rows of the table to print.", min=2, metavar="N")] = 16,
    to_json: AsJson = False,
) -> None:
    """Draw a front again and print its table, from its CSV; rows you removed are left out.

    Example: hwnas report pareto.csv --out front.svg
    """
    from hwnas.files import check_writable
    from hwnas.report import front_table, read_pareto, read_provenance, save_plot

    picture = out or front.with_suffix(".png")
    if picture.suffix.lower() not in SUFFIXES:
        raise DataError(f"--out {picture}", f"a picture ends in {', '.join(SUFFIXES)}", "write for example front.png")
    check_writable(picture)
    frame, facts = read_pareto(front), read_provenance(front)
    save_plot(picture_of(frame, facts), picture)
    if to_json:
        typer.echo(as_json(frame, facts))
        return
    show(front_table(frame, most=rows))
    typer.echo(f"\nwrote {picture}")
