"""The picture of a front, for notebooks and files."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwnas.wording import count_of

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

    def __repr__(self) -> str:
        """``Plot(top1 against latency_ms of 12 subnets)``, where no picture can be shown."""
        shown = self.picture
        return f"Plot({shown.y} against {shown.x} of {count_of(len(shown.frame), 'subnet')})"

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
