"""``hwnas download``: fetch published checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._console import say
from hwnas.progress import notice, progress
from hwnas.quantity import format_bytes


def download(
    name: Annotated[str, typer.Argument(help="A supernet of `hwnas spaces`, or acc_predictor.", metavar="NAME")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder; by default hwnas's cache.", metavar="FOLDER")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="A mirror of the same file.", metavar="URL")] = None,
) -> None:
    """Fetch a published checkpoint, verify it, and print its path. A stopped download resumes.

    Example: hwnas download ofa_mbv3_w1.0
    """
    from hwnas.supernet import download as fetch

    with progress(f"downloading {name}") as advance:
        try:
            path = fetch(name, out, url=url, progress=lambda done, total: advance(done, total or done, "bytes"))
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the part that arrived is kept; the same command resumes") from None
    notice(f"verified {format_bytes(path.stat().st_size)}")
    say(str(path))
