"""Set up training: the supernet and its data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.errors import DataError, SupernetError
from hwnas.progress import notice
from hwnas.study._data import as_told, fed_by
from hwnas.study._space import open_space, plain_name
from hwnas.wording import count_of

if TYPE_CHECKING:
    from hwnas.study._front import Front
    from hwnas.supernet import Recipe, Supernet, Team, Trainer
    from hwnas.task import TrainingTask, UserData

    Lesson = tuple[Supernet, TrainingTask, Recipe, Mapping[str, str]]
    """A network, its data, how to train it, and facts of where the data are from."""

SAVE_EVERY = 50
"""Steps between two saved states of a run."""

SCRATCH = (200, 0.1)
"""Epochs and learning rate to train from random weights on a supernet's own images. Fine-tuning uses its family's recipe."""

TAUGHT_RATE = 0.5
"""Share of its family's learning rate for one subnet of a classifier, whose weights have learned the task already."""

VALIDATION, CALIBRATION = 5000, 2000
"""Samples to measure and to calibrate the trained supernet's smallest and largest subnets."""

_TO_LEARN_FROM = {"images": "train/", "texts": "train.csv", "windows": "train.txt"}
"""Name of the training data in a folder, by the noun of their samples."""


@dataclass(frozen=True)
class Training:
    """A training run, in the form that every worker opens.

    Attributes:
        supernet, checkpoint: reference, and file of weights to fine-tune.
        state: file of the unfinished run.
        data: folder of the user's data; None for the images that the supernet brings.
        metric, columns, batch_size: settings of the user's data.
        epochs, steps, learning_rate: None for the recipe's.
        schedule, seed: see ``TrainSettings``.
        arch: JSON of a single subnet to train; empty for all subnets.
        widths: widths between an encoder's layers that subnets choose from; empty for those in the file.
        embedding_rows: rows to keep in an encoder's table of tokens; None keeps all.
        device, precision: None for a GPU if there is one, and for its best precision.
    """

    supernet: str
    state: Path
    checkpoint: Path | None = None
    data: Path | None = None
    metric: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    batch_size: int = 32
    epochs: int | None = None
    steps: int | None = None
    learning_rate: float | None = None
    schedule: str = "sandwich"
    seed: int = 0
    device: str | None = None
    precision: str | None = None
    arch: str = ""
    widths: tuple[int, ...] = ()
    embedding_rows: int | None = None

    def trainer(self, team: Team) -> Trainer:
        """Open supernet and data, and the state of an unfinished run.

        Raises:
            SupernetError: the supernet cannot be opened or brings no data, or the state is of another run.
            DataError: the data do not fit.
        """
        from hwnas.supernet import Trainer, TrainSettings
        from hwnas.supernet.train import training_device, training_precision

        device = training_device(self.device, team.size)
        precision = training_precision(self.precision, device)
        net, task, recipe, about = self._from_scratch() if self.data is None else self._fine_tuned(self.data)
        usual = recipe.learning_rate * (TAUGHT_RATE if self.arch and task.labels else 1)
        settings = TrainSettings(
            epochs=self.epochs or recipe.epochs,
            steps=self.steps or 0,
            seed=self.seed,
            schedule=self.schedule,
            learning_rate=self.learning_rate or usual,
            optimizer=recipe.optimizer,
            weight_decay=recipe.weight_decay,
            clip_norm=recipe.clip_norm,
            validates=recipe.validates,
            precision=precision,
            arch=self.arch,
        )
        if device.type == "cuda" or precision != "fp32":
            notice(f"trains on {device} in {precision}")
        return Trainer(net, task, settings, self.state, about=about, save_every=SAVE_EVERY, device=device, team=team)

    def _from_scratch(self) -> Lesson:
        """The supernet with random weights, and the data that it brings.

        Raises:
            SupernetError: an option needs the user's data, or the supernet brings none.
        """
        from hwnas.supernet import Recipe, brought_data, get_supernet, random_supernet, reference_kind
        from hwnas.task import scored_by

        for value, given in (
            (f"--checkpoint {self.checkpoint}", self.checkpoint is not None),
            (f"supernet {self.supernet}", reference_kind(self.supernet).carries_weights),
            ("--front", bool(self.arch)),
            ("--hidden-widths", bool(self.widths)),
            ("--embedding-rows", self.embedding_rows is not None),
        ):
            if given:
                raise SupernetError(value, "a pretrained network learns from your data", "add --data FOLDER")
        net = as_told(random_supernet(self.supernet, self.seed), self.columns, self.metric)
        task = scored_by(_own_task(self.supernet, brought_data(get_supernet(self.supernet))), net.metric)
        if task.labels and len(task.labels) != net.classes:
            rule = f"its own data have {len(task.labels):,} classes, but its head has {net.classes:,}"
            raise SupernetError(f"supernet {self.supernet}", rule, "add --data FOLDER with yours")
        net.labels = task.labels
        return net, task, Recipe(epochs=SCRATCH[0], learning_rate=SCRATCH[1]), {"data": self.supernet}

    def _fine_tuned(self, folder: Path) -> Lesson:
        """The pretrained supernet with a head for the classes of the user's data, and these data.

        Raises:
            DataError: there is nothing to learn from.
            SupernetError: a single subnet is to be trained, but the head does not fit the classes.
        """
        from hwnas.supernet import load_supernet
        from hwnas.task import LanguageModelling

        net = as_told(load_supernet(self.supernet, self.checkpoint), self.columns, self.metric)
        if self.widths:
            net = _widened(net, self.widths)
        task = self._open(net, folder, own_classes=True)
        _refuse_no_training(task, folder)
        for note in task.notes:
            notice(note)
        if self.embedding_rows is not None:
            net = _with_rows(net, task, self.embedding_rows)
        if not isinstance(task, LanguageModelling):
            net, task = self._with_head(net, task, folder)
        about = {
            "data": str(folder.resolve()),
            "batch_size": str(self.batch_size),
            **fed_by(task),
            "samples": task.digest(),
        }
        return net, task, net.recipe, about

    def _open(self, net: Supernet, folder: Path, *, own_classes: bool = False) -> UserData:
        """The user's data, with classes of their own or in the order of the network's."""
        from hwnas.task import Sampling

        sampling = Sampling(VALIDATION, CALIBRATION, self.batch_size, self.seed)
        return net.open_data(folder, sampling, own_classes=own_classes)

    def _with_head(self, net: Supernet, task: UserData, folder: Path) -> tuple[Supernet, UserData]:
        """The network with a head for the classes of a task, its own if that fits, and the task in the order of the head."""
        from hwnas.task import class_order

        known = not net.labels or class_order(task.labels, net.labels) is not None
        fits = net.classes == len(task.labels) and known
        if fits and net.labels and not net.head_is_new:
            task = self._open(net, folder)
        net = net.adapted(task)
        if self.arch and (net.head_is_new or not fits):
            rule = f"its subnet learns from the largest, whose head does not have the {len(task.labels):,} classes of {folder}"
            raise SupernetError("front", rule, "train all subnets first: drop --front")
        if net.head_is_new or not fits:
            other = "other " if net.classes == len(task.labels) else ""
            classes = count_of(net.classes, f"{other}class", f"{other}classes")
            replaced = f"the head for {classes} is replaced by one"
            if net.head_is_new:  # but maybe one that fills in words
                replaced = f"it has no head that classifies {task.noun}: a new one is made"
            notice(f"{replaced} for the {len(task.labels):,} of {folder}")
            net = net.with_head(task.labels, self.seed)
        else:
            notice(f"the head stays: it has {net.classes:,} classes, as many as {folder}")
            net.labels = net.labels or task.labels
        if net.space.input_genes:
            notice(f"inputs to search: {net.space.input_text}")
        return net, task


def _refuse_no_training(task: UserData, folder: Path) -> None:
    """Refuse data without samples to learn from.

    Raises:
        DataError: there are none.
    """
    if task.has_training:
        return
    part = _TO_LEARN_FROM[task.noun]
    if folder.is_file():
        rule, remedy = "it is one file, which is measured on", f"give a folder with {part} and validation.txt"
    else:
        rule, remedy = f"it has no {part} to learn from", "add one beside the validation data"
    raise DataError(f"data {folder}", rule, remedy)


def arch_to_train(front: Front, row: int, supernet: str) -> str:
    """JSON of the subnet in a row of a front, to train it alone. It has no precisions, since training is in fp32.

    Raises:
        DataError: there is no such row, or the front is of another network than ``supernet``.
    """
    searched = front.provenance.space.name
    own = open_space(supernet)
    if searched and plain_name(searched) != plain_name(own.name):
        rule = f"it is of {searched}, and {supernet} is {own.name}"
        raise DataError(f"front {front.path}", rule, "train the network that was searched, or name its own front")
    return json.dumps({key: value for key, value in front.arch(row).items() if key in own.groups})


def _widened(net: Supernet, widths: Sequence[int]) -> Supernet:
    """The network with a choice of widths between its layers.

    Raises:
        SupernetError: it is not an encoder, or a width exceeds its own.
    """
    from hwnas.supernet.hf import ImageEncoder, TextEncoder

    if not isinstance(net, TextEncoder | ImageEncoder):
        rule = "only encoders of Hugging Face folders have it"
        raise SupernetError("hidden widths", rule, "drop it: the genes of this network are fixed")
    return net.with_widths(widths)


def _with_rows(net: Supernet, data: UserData, rows: int) -> Supernet:
    """The network with at most ``rows`` rows in its table of tokens.

    Raises:
        SupernetError: it is not an encoder of texts.
    """
    from hwnas.supernet.hf import TextEncoder
    from hwnas.task import TextFolder

    if not isinstance(net, TextEncoder) or not isinstance(data, TextFolder):
        raise SupernetError(f"embedding rows {rows}", "only encoders of texts have them", "drop --embedding-rows")
    uses, whole = data.uses(), net.embedding_rows
    if rows >= whole:
        notice(f"embeddings: all {whole:,} rows stay")
        return net
    notice(f"embeddings: {rows:,} of {whole:,} rows stay; the texts to learn from use {int((uses > 0).sum()):,} tokens")
    return net.with_embedding_rows(uses, rows)


def _own_task(name: str, data: object) -> TrainingTask:
    from hwnas.task import TrainingTask

    if isinstance(data, TrainingTask):
        return data
    rule = "it brings no training images"
    raise SupernetError(f"supernet {name}", rule, "pass --data FOLDER with yours, or train digits")
