"""``hwnas train``: train a supernet, all its subnets at once."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli._options import Seed
from hwnas.cli._supernet import SupernetName
from hwnas.errors import SupernetError
from hwnas.files import check_writable
from hwnas.metric import get_metric
from hwnas.progress import notice, progress

if TYPE_CHECKING:
    from hwnas.task import TrainingData

SAVE_EVERY = 200


def train(
    supernet: SupernetName,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write, .safetensors.", metavar="FILE")],
    epochs: Annotated[int, typer.Option("--epochs", help="Passes over the training images.", min=1, metavar="N")] = 200,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", help="sandwich (BigNAS), shrinking (Once-for-All) or alone (the largest).", metavar="NAME"
        ),
    ] = "sandwich",
    seed: Seed = 0,
) -> None:
    """Train all subnets of a supernet in shared weights, on its own images. Killed, the same command resumes.

    Example: hwnas train --supernet digits --out digits.safetensors
    """
    from hwnas.quantity import format_count
    from hwnas.space import macs_cost
    from hwnas.supernet import Trainer, TrainSettings, evaluate, extremes, get_supernet

    if out.suffix != ".safetensors":
        raise SupernetError(f"--out {out}", "checkpoints are written as .safetensors", f"write {out.stem}.safetensors")
    check_writable(out)
    family = get_supernet(supernet)
    data = _training_data(supernet, family.data())
    state = out.with_name(f"{out.name}.state.safetensors")
    net = family.random(seed)
    trainer = Trainer(
        net, data, TrainSettings(epochs=epochs, seed=seed, schedule=schedule), state, save_every=SAVE_EVERY
    )
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
    notice(f"wrote {out}, {out.stat().st_size / 1e6:.2f} MB, after {trainer.steps:,} steps ({epochs} epochs)")
    macs = macs_cost(net.space)
    for name, row in zip(("smallest", "largest"), extremes(net.space), strict=True):
        accuracy = evaluate(net, row, data)
        notice(
            f"{name} subnet: {format_count(float(macs(row[None])[0]))} MACs, {get_metric(net.metric).label.lower()} {accuracy.value:.2f} % on "
            f"{accuracy.n_images:,} images, batch norms re-calibrated on {accuracy.n_calibration:,}"
        )
    notice(f"next: hwnas evaluate --supernet {supernet} --checkpoint {out} --sample 100 --out accuracy.csv")


def _training_data(name: str, data: object) -> TrainingData:
    from hwnas.task import TrainingData

    if isinstance(data, TrainingData):
        return data
    raise SupernetError(
        f"supernet {name}",
        "it brings no training images",
        "train one whose data() has training_batch (hwnas.task.TrainingData), say digits",
    )
