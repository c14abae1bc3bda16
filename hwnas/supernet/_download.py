"""Fetching published checkpoints: resumable, and verified by their git blob id."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where downloaded checkpoints are kept: ``$HWNAS_CACHE``, or ``hwnas`` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hwnas"
    return Path(os.environ.get("HWNAS_CACHE", default))


def cached_checkpoint(name: str) -> Path | None:
    """The downloaded checkpoint of a supernet, if there is one."""
    path = cache_folder() / f"{name}.pth"
    return path if path.is_file() else None
