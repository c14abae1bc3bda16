"""Options that commands with a supernet share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._options import REFERENCE
from hwnas.errors import DataError

MetricName = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="Score of classifiers to measure: top1, accuracy (the same), f1 (macro) or mcc. \\[default: that of training]",
        metavar="NAME",
    ),
]
SupernetName = Annotated[str, typer.Option("--supernet", help=f"Supernet: {REFERENCE}.", metavar="NAME")]
Evaluate = Annotated[
    bool, typer.Option("--evaluate", help="Measure accuracies with the supernet's weights, instead of predicting them.")
]
EvaluatedSupernet = Annotated[
    str | None,
    typer.Option("--supernet", help=f"Supernet to evaluate: {REFERENCE}; default: the space's.", metavar="NAME"),
]
"""For commands that can also predict accuracy."""
Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="The supernet's weights; FILE:PART if a file holds several networks. Default: those that ship or were downloaded.",
        metavar="FILE",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Images: val/<class>/*.jpg and train/..., or <class>/*.jpg. Texts: validation.csv and train.csv.",
        metavar="FOLDER",
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option("--text-column", help="Column of the texts. \\[default: text, or that of training]", metavar="NAME"),
]
PairColumn = Annotated[
    str | None,
    typer.Option("--pair-column", help="Column of second texts, if any. \\[default: text_pair]", metavar="NAME"),
]
LabelColumn = Annotated[
    str | None, typer.Option("--label-column", help="Column of labels. \\[default: label]", metavar="NAME")
]


@dataclass(frozen=True)
class ColumnOptions:
    """Columns of the user's texts, if they differ from the default names or those in training."""

    text_column: TextColumn = None
    pair_column: PairColumn = None
    label_column: LabelColumn = None

    def named(self) -> dict[str, str]:
        """The given columns, by ``text``, ``pair`` and ``label``."""
        options = {"text": self.text_column, "pair": self.pair_column, "label": self.label_column}
        return {part: column for part, column in options.items() if column is not None}


Images = Annotated[
    int, typer.Option("--images", help="Validation images, or texts, to measure accuracy on.", min=1, metavar="N")
]
Calibrate = Annotated[
    int, typer.Option("--calibrate", help="Images to re-calibrate batch norms with.", min=1, metavar="N")
]
BatchSize = Annotated[
    int, typer.Option("--batch-size", help="Images, or texts, at once; accuracy depends on it.", min=1, metavar="N")
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Engine that runs subnets: onnxruntime, torch, torch-bf16. \\[default: torch on a GPU, else onnxruntime]",
        metavar="NAME",
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="Processes of this machine that evaluate; with --cluster, tasks at once. \\[default: this process, or all "
        "CPUs of the cluster]",
        metavar="N",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Ray cluster to evaluate on: ray://HOST:10001, HOST:6379, or auto.", metavar="ADDRESS"
    ),
]
STOP, SKIP = "stop", "skip"
OnFailure = Annotated[
    str,
    typer.Option(
        "--on-failure",
        help="If the evaluation of a subnet fails three times: stop, or skip it.",
        metavar="stop|skip",
    ),
]


def skips(on_failure: str) -> bool:
    """Whether subnets that always fail are skipped.

    Raises:
        DataError: the value is neither ``stop`` nor ``skip``.
    """
    if on_failure not in (STOP, SKIP):
        raise DataError(f"--on-failure {on_failure}", "it is stop or skip", f"pass one of {STOP}, {SKIP}")
    return on_failure == SKIP
