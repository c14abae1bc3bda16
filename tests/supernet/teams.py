"""What the processes of a team do in tests; the others import it by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from hwnas.supernet import Team, Trainer, TrainSettings
from hwnas.supernet.digits import Digits
from hwnas.supernet.ops import activation
from hwnas.supernet.train import ALONE, joined
from hwnas.supernet.train._schedule import StepPlan, Teacher
from hwnas.task import DigitsData

FEW = DigitsData(batch=25)
"""An odd number: parts of two sizes."""

TEACHERS: tuple[Teacher, ...] = ("in_place", "frozen")

SETTINGS = TrainSettings(steps=4, seed=4, schedule="alone", learning_rate=0.02, rise=0.5)


@contextmanager
def smooth() -> Iterator[None]:
    """Activations without a kink: where an input of ReLU is zero but for rounding, so is not its gradient."""
    with patch.object(activation, "KERNELS", {**activation.KERNELS, "relu": F.softplus}):
        yield


def gradients(teacher: Teacher, team: Team = ALONE) -> tuple[dict[str, Tensor], float]:
    """Of a step of four subnets from random weights, by name, before they are used; and its loss."""
    net = Digits.random(0)
    trainer = Trainer(net, FEW, TrainSettings(epochs=1), team=team)
    trainer._update = lambda: None  # type: ignore[method-assign]
    random = net.space.sample(2, np.random.default_rng(0))
    rows = np.concatenate([trainer.largest[None], trainer.smallest[None], random])
    loss = trainer._train_step(trainer._feed(0, StepPlan(rows, (1.0, 0.5, 1.0, 1.0), teacher)))
    return {name: t.grad for name, t in trainer.parameters.items() if t.grad is not None}, loss


def trained(state: Path, team: Team = ALONE, steps: int | None = None) -> Digits:
    """A run, or its first steps; it goes on where the state in the file stands."""
    net = Digits.random(4)

    def cut(step: int, _loss: float) -> None:
        if step == steps:
            raise KeyboardInterrupt

    try:
        Trainer(net, FEW, SETTINGS, state, save_every=2, team=team).run(cut)
    except KeyboardInterrupt:
        assert steps is not None
    return net


def all_of_it(team: Team, folder: Path) -> list[tuple[dict[str, Tensor], float]]:
    """What the tests look at, in an order that all processes keep."""
    found = [gradients(teacher, team) for teacher in TEACHERS]
    trained(folder / "begun-alone", team)
    trained(folder / "begun-together", team, steps=3)
    return found


@dataclass(frozen=True)
class Other:
    """Opened by the second process."""

    port: int
    folder: Path

    def __call__(self, _threads: int | None, /) -> Callable[[int], None]:
        return self.work

    def work(self, rank: int) -> None:
        with smooth(), joined(self.port, rank, 2) as team:
            all_of_it(team, self.folder)
