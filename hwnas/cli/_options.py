"""Option types that commands share, so that an option is the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.errors import DataError
from hwnas.metric import BUILT_IN
from hwnas.study import DEFAULT_SPACE, USUAL

PICTURES = (".png", ".svg", ".pdf")
"""Endings of pictures."""
REFERENCE = (
    "a name of `hwnas spaces`, hf:FOLDER, FILE.onnx, FILE.safetensors of `hwnas train`, FILE.json of `hwnas space shrink`, "
    "FILE.py:NAME or MODULE:NAME"
)
"""The values of ``--space`` and ``--supernet``, in every command."""
_SPACE = f"Search space: {REFERENCE}."
Space = Annotated[str, typer.Option("--space", help=_SPACE, metavar="NAME")]
SearchedSpace = Annotated[str | None, typer.Option("--space", help=_SPACE, metavar="NAME", show_default=DEFAULT_SPACE)]
"""For commands that need to know whether a space was named."""
FrontSpace = Annotated[
    str | None,
    typer.Option(
        "--space", help="The space of the subnets; only needed if no JSON beside the CSV names it.", metavar="NAME"
    ),
]
"""For commands that read subnets."""
MainDevice = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="Device, or a latency table by name or path; `hwnas devices` lists them.",
        metavar="NAME",
        show_default=USUAL,
    ),
]
_THREADS = typer.Option("--threads", help="Threads the device runs one network with.", min=1, metavar="N")
_BATCH = typer.Option("--batch", help="Images per run; latency is per run.", min=1, metavar="N")
_PRECISION = typer.Option(
    "--precision",
    help="Precision of networks: fp32, int8, int4 (only weights) or fp16; fp32,int8 lets each layer choose.",
    metavar="NAME",
)
Threads = Annotated[int, _THREADS]
Batch = Annotated[int, _BATCH]
TableThreads = Annotated[int | None, _THREADS]
"""For commands that also take a named table, which has its own threads."""
TableBatch = Annotated[int | None, _BATCH]
TablePrecision = Annotated[str | None, _PRECISION]
Interpreter = Annotated[str, typer.Option("--python", help="The interpreter on ssh:// machines.", metavar="PATH")]
Fix = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        help="Keep only these choices of a gene: r=224, r=160,176, d=2, 'ks\\[0]=7'; repeat it for other genes.",
        metavar="GENE=VALUE",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", help="The same seed gives the same result.", min=0, max=2**32 - 1, metavar="N")
]
AsIs = Annotated[
    bool, typer.Option("--as-is", help="Use the latency table of this machine without checking or adapting it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
PredictorName = Annotated[
    str | None,
    typer.Option(
        "--predictor", help="Accuracy predictor file; by default the one that ships for the space.", metavar="FILE"
    ),
]
Latency = Annotated[
    list[str] | None,
    typer.Option("--latency", help="Latency budget: 20ms; of another device by its name: phone=35ms.", metavar="TIME"),
]
Throughput = Annotated[
    list[str] | None,
    typer.Option("--throughput", help="Least images per second: 50/s; of another device: phone=30/s.", metavar="RATE"),
]
Macs = Annotated[str | None, typer.Option("--macs", help="MACs budget: 300M, 1.2G.", metavar="COUNT")]
Params = Annotated[str | None, typer.Option("--params", help="Parameter budget: 5M.", metavar="COUNT")]
Memory = Annotated[
    str | None, typer.Option("--memory", help="Budget for peak activation memory: 20MB.", metavar="SIZE")
]
Bounds = Annotated[
    list[str] | None,
    typer.Option(
        "--budget", help="Bound on any metric or column: top1>=75, energy_mj<=5, latency@phone<=35ms.", metavar="BOUND"
    ),
]
ObjectivesList = Annotated[
    str | None,
    typer.Option(
        "--objectives",
        help=f"Up to four metrics to trade off: {', '.join(BUILT_IN)}, or columns of your files with their direction: "
        "energy_mj:min; latency@phone; top1=COLUMN. Default: accuracy, and latency on every named device.",
        metavar="LIST",
    ),
]
Library = Annotated[
    Path | None,
    typer.Option(
        "--library", help="A CSV that is the space: columns layer, choice, then metrics that add up.", metavar="FILE"
    ),
]
SubnetTables = Annotated[
    list[Path] | None,
    typer.Option(
        "--table", help="CSV with metrics of every subnet of the space; repeat it to join several.", metavar="FILE"
    ),
]
LayerCosts = Annotated[
    list[Path] | None,
    typer.Option("--costs", help="CSV with further metrics of every layer, by a latency table's keys.", metavar="FILE"),
]
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
