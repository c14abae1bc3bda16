"""``hwnas train``: train all subnets of a supernet at once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.arguments import parts_of
from hwnas.cli._groups import ColumnOptions, shares_options
from hwnas.cli._next import export_command
from hwnas.cli._options import Checkpoint, Seed, SupernetName
from hwnas.cli._out import check_out
from hwnas.errors import DataError, SupernetError
from hwnas.files import beside, only_writer
from hwnas.progress import kept_in, notice, progress
from hwnas.quantity import format_bytes
from hwnas.study import Front
from hwnas.study._data import noun_of, warn_broken
from hwnas.study._team import teamed
from hwnas.study._training import SCRATCH, Training, arch_to_train
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.space import Population
    from hwnas.supernet import Supernet, Team, Trainer
    from hwnas.task import TrainingTask


@shares_options
def train(
    *,
    supernet: SupernetName,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write, .safetensors.", metavar="FILE")],
    checkpoint: Checkpoint = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Your data: images as train/<class>/*.jpg and val/<class>/*.jpg, or texts as train.csv and validation.csv "
            "(.tsv, .jsonl, .gz).",
            metavar="FOLDER",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            help=f"Passes over the training data. \\[default: {SCRATCH[0]}; with --data 10 for images, 4 for texts, 1 for language models]",
            min=1,
            metavar="N",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Length in batches, instead of --epochs.", min=1, metavar="N")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            help=f"Peak learning rate. \\[default: {SCRATCH[1]}; with --data 0.001 for ONNX files, 0.02 for other CNNs, 0.00001 for "
            "language models, 0.0001 for other transformers, up to 0.0002 for those of texts with fewer than 768 channels; half of it "
            "with --front, but for language models]",
            min=1e-9,
            max=10,
            metavar="RATE",
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Samples per step, with --data.", min=2, metavar="N")
    ] = 32,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="Which subnets to train when: sandwich (BigNAS), shrinking (Once-for-All), or alone (only the largest).",
            metavar="NAME",
        ),
    ] = "sandwich",
    widths: Annotated[
        str | None,
        typer.Option(
            "--hidden-widths",
            help="Encoders: widths between layers that subnets can choose, such as 192,288; the full width is always a "
            "choice. \\[default: no choice]",
            metavar="N,...",
        ),
    ] = None,
    embedding_rows: Annotated[
        int | None,
        typer.Option(
            "--embedding-rows",
            help="Encoders of texts: rows to keep in the table of tokens, which is half of a small encoder's file. The tokens "
            "that your texts use most keep theirs; others share the most similar one. \\[default: all]",
            min=1,
            metavar="N",
        ),
    ] = None,
    front: Annotated[
        Path | None,
        typer.Option(
            "--front",
            help="Train only one subnet of this front, taught by the largest subnet as it is. Texts are altered on the way.",
            metavar="CSV",
        ),
    ] = None,
    row: Annotated[int | None, typer.Option("--row", help="Row of --front. \\[default: 1]", min=1, metavar="N")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="Score to measure: accuracy, f1 (macro) or mcc; later evaluations use it too. \\[default: accuracy]",
            metavar="NAME",
        ),
    ] = None,
    columns: ColumnOptions,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", help="Processes of this machine that share each batch. \\[default: this one]", metavar="N"
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            help="cpu, cuda or cuda:N. \\[default: a GPU if torch has one and one process trains]",
            metavar="NAME",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            help="Precision of training: fp32, or bf16 where it is safe. \\[default: bf16 on a GPU that has it, else fp32]",
            metavar="NAME",
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train all subnets of a supernet in shared weights. A killed command resumes when it is run again.

    With --data, a pretrained supernet is fine-tuned to your data. Its head is replaced unless it has your classes already.
    The file is a supernet of its own: every command takes it as --supernet.

    --workers shares every batch among processes of this machine. On several machines, torchrun starts the processes, and
    --out is in a folder that they share. Up to rounding, gradients do not depend on the number of processes.

    Example: hwnas train --supernet ofa_mbv3_w1.0 --data photos --out photos.safetensors

    Example: hwnas train --supernet hf:minilm --data trec --out trec.safetensors

    Example: torchrun --nnodes 2 --rdzv-backend c10d --rdzv-endpoint HOST:29400 --no-python hwnas train --supernet digits --out o.safetensors
    """
    check_out(out, "a checkpoint", ".safetensors")
    _refuse_idle(data, columns, front, row)
    if epochs is not None and steps is not None:
        raise DataError(f"--epochs {epochs} and --steps {steps}", "both set the length", "drop --epochs")
    if embedding_rows is not None and front is not None:
        rule = "the front's network has all rows"
        raise DataError(f"--embedding-rows {embedding_rows}", rule, "train all subnets with it first: drop --front")
    arch = arch_to_train(Front.load(front), row or 1, supernet) if front is not None else ""
    state = beside(out, "state.safetensors")
    training = Training(
        supernet=supernet,
        state=state,
        checkpoint=checkpoint,
        data=data,
        metric=metric,
        columns=columns.named(),
        batch_size=batch_size,
        epochs=epochs,
        steps=steps,
        learning_rate=learning_rate,
        schedule=schedule,
        seed=seed,
        device=device,
        precision=precision,
        arch=arch,
        widths=_widths(widths),
        embedding_rows=embedding_rows,
    )
    with kept_in(state), teamed(training, workers) as team, only_writer(out) if team.leads else nullcontext():
        trainer = _run(training, team)
        net, task = trainer.supernet, trainer.data
        if team.leads:
            net.save(out, trainer.provenance())
            state.unlink(missing_ok=True)
    if not team.leads:
        return
    notice(f"wrote {out}, {format_bytes(out.stat().st_size)}, after {count_of(trainer.steps, 'step')}")
    subnets = _trained(net, arch)
    _show(net, task, subnets, trainer.settings.learning_rate)
    of_data = ["--data", str(data)] if data is not None else []
    if front is not None:
        calibrated = of_data if task.labels else []  # int8 needs no ranges in language models
        following = export_command(front, row or 1, ["--supernet", supernet, "--checkpoint", str(out), *calibrated])
    else:
        words = ["evaluate", "--supernet", str(out), *of_data, "--sample", "100", "--out", "accuracy.csv"]
        following = shlex.join(["hwnas", *words])
    warn_broken(task)  # of training and validation
    notice(f"next: {following}")


def _refuse_idle(data: Path | None, columns: ColumnOptions, front: Path | None, row: int | None) -> None:
    """Refuse options that need another one."""
    if data is None and columns.named():
        option = f"--{next(iter(columns.named()))}-column"
        raise DataError(option, "it names a column of your texts", f"add --data FOLDER, or drop {option}")
    if row is not None and front is None:
        raise DataError(f"--row {row}", "it names a row of a front", "add --front FILE")


def _run(training: Training, team: Team) -> Trainer:
    """Train to the end, from where an earlier run stopped, and show the progress."""
    trainer = training.trainer(team)
    if trainer.step:
        notice(f"{training.state} holds a run stopped after {trainer.step} of {trainer.steps} steps, which resumes")
    shown = trainer.supernet.measures()

    def status(loss: float) -> str:
        reached = [f"{name} {shown.text(value)}" for name, value in trainer.validated.items()]
        return f"steps, loss {loss:.3f}" + (f"; {shown.label.lower()}: {', '.join(reached)}" if reached else "")

    with progress(f"training {training.supernet}") as advance:
        trainer.run(lambda step, loss: advance(step, trainer.steps, status(loss)))
    return trainer


def _trained(net: Supernet, arch: str) -> Mapping[str, Population]:
    """The subnets to report: the only one that was trained, or the smallest and the largest."""
    from hwnas.supernet import extremes  # here, so that an interrupt while torch loads still says what is kept

    if arch:
        return {"the subnet": net.space.encode(json.loads(arch))}
    return dict(zip(("smallest subnet", "largest subnet"), extremes(net.space), strict=True))


def _widths(text: str | None) -> tuple[int, ...]:
    """The widths of ``--hidden-widths``.

    Raises:
        SupernetError: they are not whole numbers.
    """
    try:
        return tuple(int(width) for width in parts_of(text, "--hidden-widths ")) if text is not None else ()
    except ValueError:
        rule = "they are whole numbers, separated by commas"
        raise SupernetError(f"--hidden-widths {text}", rule, "write for example --hidden-widths 192,288") from None


def _show(net: Supernet, task: TrainingTask, rows: Mapping[str, Population], learning_rate: float) -> None:
    """Report MACs and accuracy of some subnets, given by name, and whether the last one has only learned a single answer."""
    from hwnas.quantity import format_count
    from hwnas.space import macs_cost
    from hwnas.supernet import evaluate
    from hwnas.task import tallied

    macs, metric = macs_cost(net.space), net.measures()
    for name, row in rows.items():
        counting, labelled, answered = tallied(task)
        accuracy = evaluate(net, row, counting)
        calibrated = f", batch norms re-calibrated on {accuracy.n_calibration:,}" if accuracy.n_calibration else ""
        reached = f"{metric.label.lower()} {metric.text(accuracy.value)} on {accuracy.n_images:,} {noun_of(task)}"
        notice(f"{name}: {format_count(float(macs(row[None])[0]))} MACs, {reached}{calibrated}")
    if len(answered) == 1 < len(labelled):
        (only,) = answered
        share = f"{100 * labelled[only] / labelled.total():.0f} % of the {labelled.total():,} {noun_of(task)} are"
        remedy = (
            f"lower --learning-rate {learning_rate:g}, train longer, or give more {noun_of(task)} of the other classes"
        )
        notice(f"{name}: all its answers are {net.labels[only] if net.labels else only}, as {share}; {remedy}")
