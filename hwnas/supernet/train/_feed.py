"""The inputs of a training step. They depend only on the step's number, so they can be made ahead of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from hwnas.space import network_inputs
from hwnas.supernet._base import Supernet
from hwnas.supernet.train._schedule import StepPlan
from hwnas.supernet.train._team import Team
from hwnas.task import AlteringTask, Inputs, TrainingTask, fitting, map_inputs


@dataclass(frozen=True)
class Feed:
    """The inputs of one step for one process of a team.

    Attributes:
        plan: the step's subnets.
        inputs: of each subnet, and of the frozen teacher if there is one.
        labels: ``(n,)`` of this process's part of the batch.
        share: this part's share of the batch.
    """

    plan: StepPlan
    inputs: Sequence[Inputs]
    labels: Tensor
    share: float


def feed_of(
    plan: StepPlan, step: int, seed: int, *, supernet: Supernet, teacher: NDArray[Any], data: TrainingTask, team: Team
) -> Feed:
    """The feed of a step. Subnets of the same resolution or length share their inputs.

    Samples that only a frozen teacher labels are altered if the task can do that, because a teacher can label any sample.

    Args:
        plan: of the step.
        step, seed: determine the batch.
        supernet: whose subnets are trained.
        teacher: ``(g,)`` row of the frozen teacher.
        data: the training data.
        team: the processes among which the batch is divided.
    """
    inputs_at, labels = data.training_batch(step, seed)
    part = team.part(len(labels))
    rows = [*plan.rows, teacher] if plan.teacher == "frozen" else plan.rows
    only_taught = plan.teacher == "frozen" and not plan.by_labels
    made: dict[str, Inputs] = {}
    inputs = []
    for specs in (network_inputs(supernet.network(row)) for row in rows):
        if str(specs) not in made:
            batch = fitting(data, inputs_at(specs), specs)
            if only_taught and isinstance(data, AlteringTask):
                batch = data.altered(batch, step, seed)
            made[str(specs)] = map_inputs(itemgetter(part), batch)
        inputs.append(made[str(specs)])
    return Feed(plan, inputs, labels[part], (part.stop - part.start) / len(labels))
