"""``hwnas train``: train a supernet, all its subnets at once."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli._options import Seed
from hwnas.cli._shared import shares_options
from hwnas.cli._supernet import Checkpoint, ColumnOptions, SupernetName
from hwnas.errors import DataError, SupernetError
from hwnas.files import check_writable
from hwnas.progress import notice, progress
from hwnas.study._data import as_told, noun_of, say_broken

if TYPE_CHECKING:
    from hwnas.supernet import Supernet
    from hwnas.task import TrainingTask

SAVE_EVERY = 50
"""Steps between two states of a run."""

SCRATCH = (200, 0.1)
"""Epochs and learning rate from random weights on a supernet's own images; fine-tuning has its family's recipe."""

VALIDATION, CALIBRATION = 5000, 2000
"""Samples that the trained supernet's smallest and largest subnets are measured on and calibrated with."""


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
            help="Yours: images as train/<class>/*.jpg and val/<class>/*.jpg, or texts as train.csv and validation.csv "
            "(.tsv, .jsonl, .gz).",
            metavar="FOLDER",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            help=f"Passes over the training data. \\[default: {SCRATCH[0]}; with --data 10 for images, 4 for texts]",
            min=1,
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Or so many batches, whatever the epochs.", min=1)
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            help=f"Its peak. \\[default: {SCRATCH[1]}; with --data 0.02 for CNNs, 0.0001 for transformers, "
            "twice that for narrow ones of texts]",
            min=1e-9,
            max=10,
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Samples per step, with --data.", min=2)] = 32,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", help="sandwich (BigNAS), shrinking (Once-for-All) or alone (the largest).", metavar="NAME"
        ),
    ] = "sandwich",
    metric: Annotated[
        str | None,
        typer.Option("--metric", help="Of texts: accuracy, f1 (macro) or mcc. \\[default: accuracy]", metavar="NAME"),
    ] = None,
    columns: ColumnOptions,
    seed: Seed = 0,
) -> None:
    """Train all subnets of a supernet in shared weights. Killed, the same command resumes.

    With --data a pretrained supernet is fine-tuned to the classes of your data: its head is replaced unless it has as
    many. The file that is written is a supernet of its own: pass it as --supernet to every command.

    Example: hwnas train --supernet ofa_mbv3_w1.0 --data photos --out photos.safetensors

    Example: hwnas train --supernet hf:minilm --data trec --out trec.safetensors
    """
    from hwnas.supernet import Recipe, Trainer, TrainSettings, get_supernet, random_supernet

    if out.suffix != ".safetensors":
        raise SupernetError(f"--out {out}", "checkpoints are written as .safetensors", f"write {out.stem}.safetensors")
    check_writable(out)
    if epochs is not None and steps is not None:
        raise DataError(f"--epochs {epochs} and --steps {steps}", "they say the same in two ways", "drop --epochs")
    if data is None:
        if metric is not None or columns.named():
            option = "--metric" if metric is not None else f"--{next(iter(columns.named()))}-column"
            raise DataError(option, "it is of your texts", f"add --data FOLDER, or drop {option}")
        if checkpoint is not None:
            raise SupernetError(f"--checkpoint {checkpoint}", "it is fine-tuned on your images", "pass --data FOLDER")
        task, net = _own_task(supernet, get_supernet(supernet).data()), random_supernet(supernet, seed)
        net.labels, about = task.labels, {"data": supernet}
        recipe = Recipe(epochs=SCRATCH[0], learning_rate=SCRATCH[1])
    else:
        task, net = _fine_tuned(supernet, checkpoint, data, metric, columns.named(), batch_size, seed)
        about, recipe = {"data": str(data.resolve()), "batch_size": str(batch_size)}, net.recipe
    settings = TrainSettings(
        epochs=epochs or recipe.epochs,
        steps=steps or 0,
        seed=seed,
        schedule=schedule,
        learning_rate=learning_rate or recipe.learning_rate,
        optimizer=recipe.optimizer,
        weight_decay=recipe.weight_decay,
        clip_norm=recipe.clip_norm,
        validates=recipe.validates,
    )
    state = out.with_name(f"{out.name}.state.safetensors")
    trainer = Trainer(net, task, settings, state, about=about, save_every=SAVE_EVERY)
    if trainer.step:
        notice(f"{state} holds a run stopped after {trainer.step} of {trainer.steps} steps, which goes on")
    shown = net.measures()

    def told(loss: float) -> str:
        reached = [f"{name} {shown.text(value)}" for name, value in trainer.validated.items()]
        return f"steps, loss {loss:.3f}" + (f"; {shown.label.lower()}: {', '.join(reached)}" if reached else "")

    with progress(f"training {supernet}") as advance:
        try:
            trainer.run(lambda step, loss: advance(step, trainer.steps, told(loss)))
        except KeyboardInterrupt:
            kept = f"{state} keeps it; the same command resumes" if state.exists() else "nothing was worth keeping yet"
            raise KeyboardInterrupt(kept) from None
    net.save(out, trainer.provenance())
    state.unlink(missing_ok=True)
    notice(f"wrote {out}, {out.stat().st_size / 1e6:.2f} MB, after {trainer.steps:,} steps")
    say_broken(task)
    _tell_extremes(net, task)
    more = f" --data {data}" if data is not None else ""
    notice(f"next: hwnas evaluate --supernet {out}{more} --sample 100 --out accuracy.csv")


def _fine_tuned(
    supernet: str,
    checkpoint: Path | None,
    folder: Path,
    metric: str | None,
    columns: Mapping[str, str],
    batch_size: int,
    seed: int,
) -> tuple[TrainingTask, Supernet]:
    """The user's data, and the pretrained supernet with a head for their classes."""
    from hwnas.supernet import load_supernet
    from hwnas.task import class_order

    net = as_told(load_supernet(supernet, checkpoint), columns, metric)
    opened = partial(net.open_data, folder, images=VALIDATION, calibrate=CALIBRATION, batch_size=batch_size, seed=seed)
    task = opened(own_classes=True)
    if not task.has_training:
        raise DataError(
            f"data {folder}",
            "it has no train/ to learn from" if task.noun == "images" else "it has no train.csv",
            "add one beside the validation data",
        )
    for note in task.notes:
        notice(note)
    fits = net.classes == len(task.labels) and (not net.labels or class_order(task.labels, net.labels) is not None)
    if fits and net.labels and not net.head_is_new:
        task = opened()  # in the order of the head's classes
    net = net.adapted(task)
    if net.head_is_new or not fits:
        replaced = (
            "it has no head: a new one is made"
            if net.head_is_new
            else f"the head for {net.classes:,} classes is replaced by one"
        )
        notice(f"{replaced} for the {len(task.labels):,} of {folder}")
        net = net.with_head(task.labels, seed)
    else:
        notice(f"the head stays: it has {net.classes:,} classes, as many as {folder}")
        net.labels = net.labels or task.labels
    if net.space.input_genes:
        notice(f"inputs that are searched: {net.space.input_text}")
    return task, net


def _tell_extremes(net: Supernet, task: TrainingTask) -> None:
    """How the smallest and the largest subnet do."""
    from hwnas.quantity import format_count
    from hwnas.space import macs_cost
    from hwnas.supernet import evaluate, extremes

    macs, metric = macs_cost(net.space), net.measures()
    for name, row in zip(("smallest", "largest"), extremes(net.space), strict=True):
        accuracy = evaluate(net, row, task)
        calibrated = f", batch norms re-calibrated on {accuracy.n_calibration:,}" if accuracy.n_calibration else ""
        reached = f"{metric.label.lower()} {metric.text(accuracy.value)} on {accuracy.n_images:,} {noun_of(task)}"
        notice(f"{name} subnet: {format_count(float(macs(row[None])[0]))} MACs, {reached}{calibrated}")


def _own_task(name: str, data: object) -> TrainingTask:
    from hwnas.task import TrainingTask

    if isinstance(data, TrainingTask):
        return data
    raise SupernetError(
        f"supernet {name}", "it brings no training images", "pass --data FOLDER with yours, or train digits"
    )
