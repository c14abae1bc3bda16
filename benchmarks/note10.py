"""The setting of OFA's tutorial: the w1.2 space, a Samsung Note10's latency table, the released accuracy predictor."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import DATA
from hwnas.latency import read_published
from hwnas.predictor import Predictor, get_predictor
from hwnas.search import Constraint, Objective, Problem
from hwnas.space import AdditiveCost, SearchSpace, get_space


@dataclass(frozen=True)
class Note10:
    """Space (160..224 px), latency in ms, top-1 in %."""

    folder: Path
    space: SearchSpace
    latency: AdditiveCost
    predictor: Predictor

    def problem(self, budget_ms: float) -> Problem:
        objectives = [
            Objective("top1", "%", True, self.predictor),
            Objective("latency_ms", "ms", False, self.latency),
        ]
        return Problem(self.space, objectives, [Constraint("latency_ms", "ms", self.latency, budget_ms, "note10")])


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with ``--data``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds ofa_tutorial/")
    return parser


def load(data: Path) -> Note10:
    """Read table and predictor; exits with one line if they are missing."""
    folder = data / "ofa_tutorial"
    if not (folder / "acc_predictor.pth").is_file() or not (folder / "note10").is_dir():
        print(f"skipped: {folder} does not hold acc_predictor.pth and note10/ (pass --data)")
        sys.exit(0)
    whole = get_space("ofa_mbv3_w1.2")
    predictor = get_predictor(folder / "acc_predictor.pth", whole)
    table = read_published(folder / "note10", "note10", whole)
    space = predictor.covered(table.covered(whole))
    return Note10(folder, space, table.cost(space), predictor)
