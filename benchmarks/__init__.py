"""Studies behind the figures of BENCHMARKS.md."""

import os
from pathlib import Path

DATA = Path(os.environ.get("HWNAS_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
"""Measured data and data sets, which are kept outside the repository."""
