"""Which subnets a training step trains, and how much each counts.

- *sandwich* (BigNAS, Yu et al. 2020, arXiv:2003.11142): the largest learns from the labels; the
  smallest and a few random ones learn, in the same step, from the largest's output. Shrinking starts
  late and gently (delayed epsilon-shrinking, Annavajjala et al. 2024, arXiv:2407.06167): at first the
  largest trains alone, then the others' share of the gradient rises from a small epsilon to all of it.
- *shrinking* (Once-for-All, Cai et al. 2020, arXiv:1908.09791): the largest trains alone and is
  frozen as the teacher; then one kind of gene after another becomes elastic: kernels, depths,
  expansions, and whatever else the space has. The input (a resolution) is elastic from the first step on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import UnknownNameError
from hwnas.space import Population, SearchSpace, macs_cost

Teacher = Literal["none", "in_place", "frozen"]
"""Whom the subnets of a step learn from: the labels alone, the step's first subnet, or the frozen largest."""

_ORDER = ("ks", "d", "e")


@dataclass(frozen=True)
class StepPlan:
    """Subnets of one step.

    Attributes:
        rows: ``(k, g)`` canonical rows; the first learns from the labels.
        weights: share of each in the gradient.
        teacher: whom the others learn from (all of them, the first too, when it is ``"frozen"``).
    """

    rows: Population
    weights: tuple[float, ...]
    teacher: Teacher


class Schedule(Protocol):
    """``plan(step) -> StepPlan``, a function of the step number alone.

    Attributes:
        start: the first step that trains other subnets than the largest; -1 if none does.
    """

    start: int

    def plan(self, step: int) -> StepPlan:
        """What step ``step``, counted from 0, trains."""


def extremes(space: SearchSpace) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """``(g,)`` rows of the subnets with the fewest and the most MACs."""
    macs = macs_cost(space)
    return macs.minimum()[1], macs.maximum()[1]


class Sandwich(Schedule):
    """Largest, smallest (at a random resolution) and random subnets in every step.

    Args:
        space: whose subnets are trained.
        steps: length of the run.
        seed: of the random subnets.
        warmup: share of the steps that train the largest alone.
        ramp: share of the steps over which the others' weight rises to 1.
        epsilon: weight they start with.
        random_subnets: how many random ones per step.
    """

    def __init__(
        self,
        space: SearchSpace,
        steps: int,
        seed: int,
        *,
        warmup: float = 0.2,
        ramp: float = 0.1,
        epsilon: float = 0.01,
        random_subnets: int = 2,
    ) -> None:
        self.space, self.seed, self.random_subnets, self.epsilon = space, seed, random_subnets, epsilon
        self.start, self.ramp_steps = round(warmup * steps), max(1, round(ramp * steps))
        self.smallest, self.largest = extremes(space)

    def plan(self, step: int) -> StepPlan:
        if step < self.start:
            return StepPlan(self.largest[None], (1.0,), "none")
        rng = np.random.default_rng([self.seed, step])
        # Every gene uniformly: uniform over distinct subnets would hardly ever show a shallow one.
        random = self.space.sample(self.random_subnets, rng, distinct_uniform=False)
        smallest = self.smallest.copy()
        # Always at the smallest resolution, the smallest subnet would train the leading channels, which all subnets
        # share, for that resolution alone.
        for column in self.space.input_genes:
            smallest[column] = rng.choice(self.space.domain[column])
        rows = np.concatenate([self.largest[None], smallest[None], random])
        rise = min(1.0, (step - self.start) / self.ramp_steps)
        weight = self.epsilon + (1 - self.epsilon) * rise
        return StepPlan(rows, (1.0, *[weight] * (len(rows) - 1)), "in_place")


class Shrinking(Schedule):
    """One kind of gene after another becomes elastic, taught by the frozen largest subnet.

    Args:
        space: whose subnets are trained.
        steps: length of the run.
        seed: of the random subnets.
        warmup: share of the steps that train the largest alone.
        random_subnets: at most so many per step; one in the first phase, two in the second, and so on.
    """

    def __init__(
        self, space: SearchSpace, steps: int, seed: int, *, warmup: float = 0.4, random_subnets: int = 3
    ) -> None:
        self.seed = seed
        self.start = round(warmup * steps)
        self.largest = extremes(space)[1]
        self.phases = _phases(space, self.largest)
        self.random_subnets = random_subnets
        self.phase_steps = max(1, (steps - self.start) // max(1, len(self.phases) - 1))

    def plan(self, step: int) -> StepPlan:
        rng = np.random.default_rng([self.seed, step])
        if step < self.start:
            rows = self.phases[0].sample(1, rng, distinct_uniform=False)
            return StepPlan(rows, (1.0,), "none")
        phase = min(1 + (step - self.start) // self.phase_steps, len(self.phases) - 1)
        k = max(1, min(phase, self.random_subnets))
        rows = self.phases[phase].sample(k, rng, distinct_uniform=False)
        return StepPlan(rows, (1.0,) * k, "frozen")


def _phases(space: SearchSpace, largest: NDArray[Any]) -> list[SearchSpace]:
    """The space with the genes that are not yet elastic held at the largest subnet's choices."""
    groups = [g for g in _ORDER if g in space.groups]
    inputs = {space.genes[c].group for c in space.input_genes}
    groups += [g for g in space.groups if g not in (*groups, *inputs)]
    phases = []
    for opened in range(len(groups) + 1):
        fixed = {
            space.genes[c].name: space.genes[c].choices[largest[c]] for g in groups[opened:] for c in space.groups[g]
        }
        phases.append(space.restrict(**fixed))
    return phases


class Alone(Schedule):
    """The largest subnet alone: how a space of one subnet is trained, to compare with."""

    def __init__(self, space: SearchSpace) -> None:
        self.rows, self.start = extremes(space)[1][None], -1

    def plan(self, step: int) -> StepPlan:  # noqa: ARG002 (every step is alike)
        return StepPlan(self.rows, (1.0,), "none")


class Taught(Schedule):
    """One subnet alone, taught by the largest as it was before: short distillation of an assembled model.

    Args:
        row: ``(g,)`` of the subnet.
    """

    def __init__(self, row: NDArray[Any]) -> None:
        self.rows, self.start = row[None], -1

    def plan(self, step: int) -> StepPlan:  # noqa: ARG002 (every step is alike)
        return StepPlan(self.rows, (1.0,), "frozen")


SCHEDULES: dict[str, Callable[[SearchSpace, int, int], Schedule]] = {
    "sandwich": Sandwich,
    "shrinking": Shrinking,
    "alone": lambda space, steps, seed: Alone(space),  # noqa: ARG005
}


def get_schedule(name: str, space: SearchSpace, steps: int, seed: int) -> Schedule:
    """The schedule registered as ``name``.

    Raises:
        UnknownNameError: no such schedule; suggests the nearest.
    """
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    return SCHEDULES[name](space, steps, seed)
