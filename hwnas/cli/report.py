"""``hwnas report``: make the picture, the page and the table of a front from its CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._console import say, show
from hwnas.cli._options import PICTURES, AsJson, FrontSpace
from hwnas.errors import DataError, HwnasError
from hwnas.files import ends_in
from hwnas.progress import notice
from hwnas.study._space import space_of_front, table_of

PAGE = ".html"


def report(
    front: Annotated[Path, typer.Argument(help="Pareto CSV that `hwnas search` wrote.", metavar="PARETO.csv")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File to write: .png, .svg, .pdf or .html; default: beside the CSV, .png.", metavar="FILE"
        ),
    ] = None,
    html: Annotated[
        bool,
        typer.Option(
            "--html", help="Write an interactive page instead: one file that needs no network, .html beside the CSV."
        ),
    ] = False,
    space: FrontSpace = None,
    rows: Annotated[int, typer.Option("--rows", help="Rows of the table to print.", min=2, metavar="N")] = 16,
    to_json: AsJson = False,
) -> None:
    """Draw a front and print its table, from the rows that its CSV has now.

    Example: hwnas report pareto.csv --html
    """
    from hwnas.files import as_argument, check_writable
    from hwnas.report import front_table, save_plot, sensitivity_table, write_html
    from hwnas.study import Front

    written = _outputs(front, out, html)
    for path in written:
        check_writable(path)
    loaded = Front.load(front, space)
    if loaded.space is None and loaded.provenance.space.name and table_of(loaded.provenance) is None:
        try:
            space_of_front(loaded.provenance, front, space)
        except HwnasError as error:
            notice(f"the page cannot show which layers a depth skips: {error}")
    picture, about = loaded.picture(), loaded.provenance
    facts = about.to_json()
    for path in written:
        if ends_in(path, PAGE):
            write_html(picture, facts, path, csv=as_argument(front), space=loaded.space)
        else:
            save_plot(picture, path)
    if to_json:
        say(loaded.to_json())
        return
    show(front_table(loaded.frame, most=rows, also=[*about.objectives, *about.budgets, *about.floors]))
    layers = sensitivity_table(facts)
    if layers is not None:
        show(layers)
    say(f"\nwrote {', '.join(map(str, written))}")


def _outputs(front: Path, out: Path | None, html: bool) -> list[Path]:
    """The files to write: the picture, the page, or both if ``--html`` is added to a named picture."""
    if out is None:
        return [front.parent / f"{front.stem}{PAGE if html else '.png'}"]  # with_suffix raises at "."
    if not ends_in(out, *PICTURES, PAGE):
        rule = f"a picture ends in {', '.join(PICTURES)}, a page in {PAGE}"
        raise DataError(f"--out {out}", rule, "write for example front.png")
    return [out, out.with_suffix(PAGE)] if html and not ends_in(out, PAGE) else [out]
