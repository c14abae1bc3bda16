"""One run: a task, a number of steps and a seed. Its folder holds trained networks, and a journal of all measurements."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.own_networks._tasks import OwnTask
from hwnas.io import Journal
from hwnas.supernet import MeasuredAccuracy, Supernet, Trainer, TrainSettings, accuracy_journal_identity, load_supernet
from hwnas.supernet.hf import ImageEncoder, TextEncoder
from hwnas.supernet.train import training_device
from hwnas.task import Sampling, TextFolder, UserData

SAVE_EVERY = 50
"""Most steps that an interrupted training loses."""

EVALUATED_TOGETHER = 100
"""Samples per batch when accuracy is measured; texts of similar length share part of a batch."""

Entry = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """The settings of a run.

    Attributes:
        task: the network and the data.
        steps: of every training.
        seed: of heads, batches and searches.
        evaluations: number of subnets that a search evaluates.
        root: folder of all runs.
        widths: choices of the channels between an encoder's layers; empty for no choice.
        rows: of a text encoder's embedding table; None for one row per token.
    """

    task: OwnTask
    steps: int
    seed: int
    evaluations: int
    root: Path
    widths: tuple[int, ...] = ()
    rows: int | None = None

    @property
    def shared(self) -> Path:
        """The folder of the task's data."""
        return self.root / self.task.name

    @property
    def title(self) -> str:
        """Name of the run without its seed."""
        kept = f"-rows{self.rows}" if self.rows else ""
        return f"{self.task.name}-{self.steps}{kept}" + "".join(f"-c{width}" for width in self.widths)

    @property
    def folder(self) -> Path:
        """The run's own."""
        return self.root / f"{self.title}-s{self.seed}"

    def journal(self) -> Journal:
        """Results: open it, add to it, close it."""
        return Journal(
            self.folder / "results.jsonl",
            {"kind": "own networks", "task": self.task.name, "steps": self.steps, "seed": self.seed},
        )

    def entries(self, **having: Any) -> list[Entry]:
        """Results that have these values."""
        with self.journal() as journal:
            return [entry for entry in journal.entries if all(entry.get(k) == v for k, v in having.items())]

    def record(self, **entry: Any) -> None:
        """Add a result."""
        with self.journal() as journal:
            journal.append(entry)

    def opened(self, reference: str | None = None) -> tuple[Supernet, UserData]:
        """A pretrained network (by default the task's) with a new head for the task's classes, and the data."""
        net = load_supernet(reference or self.task.prepare(self.shared))
        if self.task.metric is not None:
            net = net.with_metric(self.task.metric)
        if self.widths and reference is None:
            assert isinstance(net, TextEncoder | ImageEncoder), f"{self.task.name} is no encoder"
            net = net.with_widths(self.widths)
        folder = self.shared / "data"
        sampling = Sampling(n_calibration=self.task.calibrate, batch_size=self.task.batch_size, seed=self.seed)
        data = net.open_data(folder, sampling, own_classes=True)
        if self.rows is not None and reference is None:
            assert isinstance(net, TextEncoder), f"{self.task.name} is no encoder of texts"
            assert isinstance(data, TextFolder)
            net = net.with_embedding_rows(data.uses(), self.rows)
        return net.adapted(data).with_head(data.labels, self.seed), data

    def fine_tuned(self, name: str, net: Supernet, data: UserData, schedule: str) -> Supernet:
        """The network after training by its family's recipe; a finished training is read from its file."""
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            recipe, start, processor = net.recipe, time.time(), time.process_time()
            settings = TrainSettings(
                steps=self.steps,
                seed=self.seed,
                schedule=schedule,
                learning_rate=recipe.learning_rate,
                optimizer=recipe.optimizer,
                weight_decay=recipe.weight_decay,
                clip_norm=recipe.clip_norm,
                validates=recipe.validates,
            )
            state = self.folder / f"{name}.state.safetensors"
            trainer = Trainer(net, data, settings, state, save_every=SAVE_EVERY, device=training_device(None, 1))
            begun = trainer.step
            trainer.run(lambda step, loss: self._say(name, step, loss))
            net.save(file, trainer.provenance())
            state.unlink(missing_ok=True)
            share = self.steps / max(1, self.steps - begun)  # after an interruption, extrapolate from the last part
            minutes, processor = (time.time() - start) / 60, (time.process_time() - processor) / 60
            self.record(cost="training", name=name, minutes=share * minutes, processor_minutes=share * processor)
        return load_supernet(str(file))

    def accuracy(self, name: str, net: Supernet, split: str, samples: int = 5000) -> tuple[MeasuredAccuracy, Journal]:
        """Accuracy on ``data`` (for searches) or ``test``, and its journal, which the caller closes."""
        calibrate = self.task.calibrate
        facts = {"split": split, "samples": samples, "calibrate": calibrate, "batch": EVALUATED_TOGETHER}
        journal = Journal(self.folder / f"{name}.{split}-{samples}.jsonl", accuracy_journal_identity(net, facts))
        return MeasuredAccuracy(net, self.data_of(net, split, samples), journal), journal

    def data_of(self, net: Supernet, split: str, samples: int = 5000) -> UserData:
        """The samples that a trained network is measured on."""
        sampling = Sampling(samples, self.task.calibrate, EVALUATED_TOGETHER, self.seed)
        return net.open_data(self.shared / split, sampling)

    def _say(self, name: str, step: int, loss: float) -> None:
        if step % SAVE_EVERY == 0:
            print(f"{time.strftime('%H:%M:%S')} {self.folder.name} {name}: step {step}, loss {loss:.3f}", flush=True)
