"""A table that adapts to narrow terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

FEWEST = 2
"""Columns that even the narrowest terminal shows."""


@dataclass(frozen=True)
class _Column:
    title: str
    cells: Sequence[str]
    rank: int
    left: bool


@dataclass
class FittingTable:
    """A table of text. If it is too wide, titles are broken into lines; if it still is, the least important columns are left
    out, and the caption names them.

    Attributes:
        title: text above the table.
        caption: text below it.
    """

    title: str | None = None
    caption: str | None = None
    _columns: list[_Column] = field(default_factory=list)

    def add_column(self, title: str, cells: Iterable[str], *, rank: int | None = None, left: bool = False) -> None:
        """Add a column.

        Args:
            title: title of the column, in one line or more.
            cells: its cells with rich markup, as many as in other columns.
            rank: columns of high rank are left out first; by default the last column is.
            left: whether to align it left.
        """
        place = len(self._columns)
        self._columns.append(_Column(title, list(cells), place if rank is None else rank, left))

    @classmethod
    def of(cls, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Self:
        """A table from rows; the first column is aligned left, and the last one is left out first."""
        table, columns = cls(), list(zip(*rows, strict=True))
        for i, title in enumerate(titles):
            table.add_column(title, columns[i] if columns else (), left=not i)
        return table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The columns for which there is room."""
        shown, left_out = list(self._columns), list[str]()

        def fits() -> bool:
            unbounded = options.update(max_width=10_000)
            return console.measure(_table(shown), options=unbounded).maximum <= options.max_width

        if not fits():
            shown = [replace(column, title=column.title.replace(" ", "\n")) for column in shown]
        while len(shown) > FEWEST and not fits():
            last = max(shown, key=lambda column: column.rank)
            shown.remove(last)
            left_out.append(" ".join(last.title.split()))
        table = _table(shown)
        table.title = self.title
        missing = f"no room for {', '.join(reversed(left_out))}" if left_out else None
        table.caption = "\n".join(filter(None, [self.caption, missing])) or None
        yield table


def _table(columns: Sequence[_Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left", caption_justify="left")
    for column in columns:
        table.add_column(column.title, justify="left" if column.left else "right", no_wrap=True)
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table
