"""``hwnas train``: train a supernet, all its subnets at once."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli._options import Seed
from hwnas.cli._supernet import Checkpoint, SupernetName
from hwnas.errors import DataError, SupernetError
from hwnas.files import check_writable
from hwnas.metric import get_metric
from hwnas.progress import notice, progress
from hwnas.study._data import say_broken

if TYPE_CHECKING:
    from hwnas.supernet import Supernet
    from hwnas.task import TrainingTask

SAVE_EVERY = 50
"""Steps between two states of a run."""

SCRATCH, TUNED = (200, 0.1), (10, 0.02)
"""Epochs and learning rate: from random weights on a supernet's own images; from pretrained ones on a user's."""

VALIDATION, CALIBRATION = 5000, 2000
"""Images that the trained supernet's smallest and largest subnets are measured on and calibrated with."""


def train(
    supernet: SupernetName,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write, .safetensors.", metavar="FILE")],
    checkpoint: Checkpoint = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Your images: train/<class>/*.jpg and val/<class>/*.jpg.", metavar="FOLDER"),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", help=f"Passes over the training images. [default: {SCRATCH[0]}; with --data {TUNED[0]}]", min=1
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", help=f"Its peak. [default: {SCRATCH[1]}; with --data {TUNED[1]}]", min=1e-9, max=10
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Images per step, with --data.", min=2)] = 32,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", help="sandwich (BigNAS), shrinking (Once-for-All) or alone (the largest).", metavar="NAME"
        ),
    ] = "sandwich",
    seed: Seed = 0,
) -> None:
    """Train all subnets of a supernet in shared weights. Killed, the same command resumes.

    With --data a pretrained supernet is fine-tuned to the classes of your images: its head is replaced unless it has as
    many. The file that is written is a supernet of its own: pass it as --supernet to every command.

    Example: hwnas train --supernet ofa_mbv3_w1.0 --data photos --out photos.safetensors
    """
    from hwnas.supernet import Trainer, TrainSettings, get_supernet, random_supernet

    if out.suffix != ".safetensors":
        raise SupernetError(f"--out {out}", "checkpoints are written as .safetensors", f"write {out.stem}.safetensors")
    check_writable(out)
    usual_epochs, usual_rate = SCRATCH if data is None else TUNED
    settings = TrainSettings(
        epochs=epochs or usual_epochs, seed=seed, schedule=schedule, learning_rate=learning_rate or usual_rate
    )
    if data is None:
        if checkpoint is not None:
            raise SupernetError(f"--checkpoint {checkpoint}", "it is fine-tuned on your images", "pass --data FOLDER")
        task, net = _own_task(supernet, get_supernet(supernet).data()), random_supernet(supernet, seed)
        net.labels, about = task.labels, {"data": supernet}
    else:
        task, net = _fine_tuned(supernet, checkpoint, data, batch_size, seed)
        about = {"data": str(data.resolve()), "batch_size": str(batch_size)}
    state = out.with_name(f"{out.name}.state.safetensors")
    trainer = Trainer(net, task, settings, state, about=about, save_every=SAVE_EVERY)
    if trainer.step:
        notice(f"{state} holds a run stopped after {trainer.step} of {trainer.steps} steps, which goes on")
    with progress(f"training {supernet}") as advance:
        try:
            trainer.run(lambda step, loss: advance(step, trainer.steps, f"steps, loss {loss:.3f}"))
        except KeyboardInterrupt:
            kept = f"{state} keeps it; the same command resumes" if state.exists() else "nothing was worth keeping yet"
            raise KeyboardInterrupt(kept) from None
    net.save(out, trainer.provenance())
    state.unlink(missing_ok=True)
    notice(f"wrote {out}, {out.stat().st_size / 1e6:.2f} MB, after {trainer.steps:,} steps ({settings.epochs} epochs)")
    say_broken(task)
    _tell_extremes(net, task)
    more = f" --data {data}" if data is not None else ""
    notice(f"next: hwnas evaluate --supernet {out}{more} --sample 100 --out accuracy.csv")


def _fine_tuned(
    supernet: str, checkpoint: Path | None, folder: Path, batch_size: int, seed: int
) -> tuple[TrainingTask, Supernet]:
    """The user's images, and the pretrained supernet with a head for their classes."""
    from hwnas.supernet import load_supernet
    from hwnas.task import ImageFolder

    task = ImageFolder(folder, None, n_images=VALIDATION, n_calibration=CALIBRATION, batch_size=batch_size, seed=seed)
    if not task.has_training:
        raise DataError(f"data {folder}", "it has no train/ to learn from", "lay it out as train/ and val/")
    net = load_supernet(supernet, checkpoint).adapted(task)
    if net.classes != len(task.labels) or (net.labels and net.labels != task.labels):
        notice(f"the head for {net.classes:,} classes is replaced by one for the {len(task.labels):,} of {folder}")
        net = net.with_head(task.labels, seed)
    else:
        notice(f"the head stays: it has {net.classes:,} classes, as many as {folder}")
        net.labels = task.labels
    return task, net


def _tell_extremes(net: Supernet, task: TrainingTask) -> None:
    """How the smallest and the largest subnet do."""
    from hwnas.quantity import format_count
    from hwnas.space import macs_cost
    from hwnas.supernet import evaluate, extremes

    macs, label = macs_cost(net.space), get_metric(net.metric).label.lower()
    for name, row in zip(("smallest", "largest"), extremes(net.space), strict=True):
        accuracy = evaluate(net, row, task)
        notice(
            f"{name} subnet: {format_count(float(macs(row[None])[0]))} MACs, {label} {accuracy.value:.2f} % on "
            f"{accuracy.n_images:,} images, batch norms re-calibrated on {accuracy.n_calibration:,}"
        )


def _own_task(name: str, data: object) -> TrainingTask:
    from hwnas.task import TrainingTask

    if isinstance(data, TrainingTask):
        return data
    raise SupernetError(
        f"supernet {name}", "it brings no training images", "pass --data FOLDER with yours, or train digits"
    )
