"""``hwnas library``: block libraries of language models."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli._command import command_group
from hwnas.cli._console import say
from hwnas.cli._groups import WorkerOptions, shares_options
from hwnas.cli._options import Seed
from hwnas.cli._out import TABLE, check_out
from hwnas.errors import DataError
from hwnas.files import beside, check_writable
from hwnas.progress import kept_in, notice
from hwnas.wording import count_of

Text = Annotated[
    Path,
    typer.Option("--data", help="Text: a .txt file, or a folder with train.txt and validation.txt.", metavar="TEXT"),
]
WindowCount = Annotated[int, typer.Option("--windows", help="Windows of the text to score on.", min=1, metavar="N")]
WindowsAtOnce = Annotated[
    int,
    typer.Option(
        "--batch-size", help="Windows at once; fewer if their logits would take too much memory.", min=1, metavar="N"
    ),
]
Length = Annotated[int, typer.Option("--length", help="Tokens of a window.", min=2, metavar="N")]


@shares_options
def build(
    *,
    model: Annotated[str, typer.Option("--model", help="The model: hf:FOLDER, or hf:FILE.gguf.", metavar="NAME")],
    data: Text,
    out: Annotated[Path, typer.Option("--out", help="CSV to write; .json beside it.", metavar="FILE")],
    sort: Annotated[
        Path | None,
        typer.Option(
            "--sort",
            help="First sort the model's neurons by their activity on the text, and write it to this file (.safetensors); the "
            "library is then of that file.",
            metavar="FILE",
        ),
    ] = None,
    distil: Annotated[
        int | None,
        typer.Option(
            "--distil",
            help="Then train each alternative alone for N steps, to imitate the parent's block on other windows of the text. The "
            "model is written beside the library, as .safetensors, and the library is of that file.",
            min=1,
            metavar="N",
        ),
    ] = None,
    windows: WindowCount = 8,
    length: Length = 256,
    batch_size: WindowsAtOnce = 4,
    seed: Seed = 0,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            help="Precisions of each alternative, such as fp32,int8,int4. Values between layers stay in fp32.",
            metavar="NAMES",
        ),
    ] = "fp32",
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="Add latencies on this device: cpu, or a latency table by name. \\[default: none]",
            metavar="NAME",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", help="Threads the device runs one network with.", min=1, metavar="N")
    ] = None,
    prompt: Annotated[
        int | None,
        typer.Option(
            "--prompt",
            help="Tokens of the prompt whose latency is a column. \\[default: 512, or all positions of the model]",
            min=1,
            metavar="N",
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            "--context",
            help="Tokens in the cache, for the timed step of decoding and for memory. \\[default: 512, or all positions but "
            "one]",
            min=0,
            metavar="N",
        ),
    ] = None,
    workers: WorkerOptions,
) -> None:
    """Score the alternatives of every attention and FFN, one at a time, by the divergence from the parent.

    A killed command resumes when it is run again. Scores do not depend on the number of workers.

    Example: hwnas library build --model hf:smollm2 --data train.txt --precision fp32,int8,int4 --device cpu --out lib.csv
    """
    from hwnas.graph import precision_parts
    from hwnas.study._build_library import build_library, scored_precision
    from hwnas.study._lengths import Lengths
    from hwnas.study._model_on_text import ModelOnText
    from hwnas.study._sorted_model import sorted_model
    from hwnas.study._taught_model import taught_model

    check_out(out, "a library", ".csv")
    if threads is not None and device is None:
        raise DataError(f"--threads {threads}", "it needs a device, and none is named", "add --device cpu")
    given = ModelOnText(model, data, windows, length, batch_size, seed, scored_precision(precision))
    if sort is not None:
        check_writable(sort)
    own = out.with_suffix(".safetensors")
    kept = [beside(out, "journal.jsonl"), beside(own, "jsonl"), *([sort] if sort is not None else [])]
    with kept_in(*kept):
        lengths = Lengths.asked(given.net, prompt, context)
        given = sorted_model(given, sort) if sort is not None else given
        given = taught_model(given, own, distil) if distil is not None else given
        frame = build_library(given, out, lengths, workers.where(), device, threads)
    notice(
        f"wrote {out}: {count_of(len(frame), 'alternative')}, scored on {count_of(windows, 'window')} of {count_of(length, 'token')}"
    )
    cost = "latency" if device is not None else "size" if len(precision_parts(given.precision)) > 1 else "params"
    notice(f"next: hwnas search --library {shlex.quote(str(out))} --objectives kl,{cost}")


@shares_options
def check(
    library: Annotated[Path, typer.Argument(help="A library that `hwnas library build` wrote.", metavar="CSV")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Text to measure on, a .txt file or a folder; default: that of the scores.", metavar="TEXT"
        ),
    ] = None,
    subnets: Annotated[
        int,
        typer.Option(
            "--subnets",
            help="Random assemblies of blocks to measure; fewer than 8 would not tell how their order agrees.",
            min=8,
            metavar="N",
        ),
    ] = 40,
    out: Annotated[
        Path, typer.Option("--out", help="CSV of the measurements; a journal is kept beside it.", metavar="FILE")
    ] = Path("check.csv"),
    seed: Seed = 0,
    workers: WorkerOptions,
) -> None:
    """Check whether scores add up: measure random assemblies, and compare them with the sums of their scores.

    A killed command resumes when it is run again.

    Example: hwnas library check lib.csv --subnets 40 --out check.csv
    """
    from hwnas.io import write_csv
    from hwnas.study._check_library import check_library

    check_out(out, "a table of measurements", *TABLE)
    journal = beside(out, "journal.jsonl")
    with kept_in(journal):
        found = check_library(library, data, subnets, seed, journal, workers.where())
    write_csv(found.frame, out)
    say(f"{found.raw}\neach corrected by all others: {found.corrected}")
    notice(f"wrote {out}")


app = command_group(
    "library",
    "Block libraries of language models: the score and the costs of each alternative of each block.",
    build,
    check,
)
