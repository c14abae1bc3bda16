"""The picture of a front, for notebooks and files."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hwnas.report import Picture


@dataclass(frozen=True)
class Plot:
    """The picture of a front.

    Attributes:
        picture: its contents.
    """

    picture: Picture

    @property
    def figure(self) -> Figure:
        """A matplotlib figure, to draw on further."""
        from hwnas.report import draw

        return draw(self.picture)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it; the suffix gives the format: .png, .svg, .pdf."""
        from hwnas.report import save_plot

        save_plot(self.picture, path)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png")
        return buffer.getvalue()
