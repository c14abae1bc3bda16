"""What a training step is fed: it depends on the step alone, so that it can be made ahead of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from hwnas.space import network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet.train._schedule import StepPlan
from hwnas.supernet.train._team import Team, part_of
from hwnas.task import Inputs, TrainingTask


@dataclass(frozen=True)
class Feed:
    """What a process of a team is fed in one step.

    Attributes:
        plan: the step's subnets.
        inputs: of each of them, and of the frozen teacher, where there is one.
        labels: ``(n,)`` of this process's part of the batch.
        share: of the batch that this part is.
    """

    plan: StepPlan
    inputs: Sequence[Inputs]
    labels: Tensor
    share: float


def feed_of(
    plan: StepPlan, step: int, seed: int, *, supernet: Supernet, teacher: NDArray[Any], data: TrainingTask, team: Team
) -> Feed:
    """The feed of a step. Subnets of one resolution or length share their inputs.

    Args:
        plan: of the step.
        step, seed: of the batch.
        supernet: whose subnets are trained.
        teacher: ``(g,)`` the frozen one.
        data: to learn from.
        team: the batch is divided among.
    """
    inputs_at, labels = data.training_batch(step, seed)
    part = team.part(len(labels))
    rows = [*plan.rows, teacher] if plan.teacher == "frozen" else plan.rows
    made: dict[str, Inputs] = {}
    inputs = []
    for specs in (network_inputs(supernet.network(row)) for row in rows):
        if str(specs) not in made:
            made[str(specs)] = part_of(inputs_at(specs), part)
        inputs.append(made[str(specs)])
    return Feed(plan, inputs, labels[part], (part.stop - part.start) / len(labels))
