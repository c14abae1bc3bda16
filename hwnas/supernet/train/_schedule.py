"""Schedules: which subnets a training step trains, and with which weights.

- *sandwich* (BigNAS, Yu et al. 2020, arXiv:2003.11142): the largest subnet learns from the labels. In the same step the
  smallest and a few random ones learn from its output. Shrinking starts late and gently (delayed epsilon-shrinking,
  Annavajjala et al. 2024, arXiv:2407.06167): at first the largest trains alone, then the weight of the others rises from a
  small epsilon to 1.
- *shrinking* (Once-for-All, Cai et al. 2020, arXiv:1908.09791): the largest subnet trains alone and is then frozen as the
  teacher. One kind of gene after another becomes elastic: kernels, depths, expansions, and the other kinds of the space. The
  input (a resolution) is elastic from the first step.
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
"""The teacher of a step's subnets: none (they learn from labels), the step's first subnet, or the frozen largest."""

_ORDER = ("ks", "d", "e")

WARMUP, RAMP = 0.2, 0.1
"""`Sandwich`: shares of the steps in which the largest trains alone, and over which the weight of the others rises to 1."""

EPSILON = 0.01
"""`Sandwich`: initial weight of the others."""

RANDOM_SUBNETS = 2
"""`Sandwich`: random subnets per step."""

ALONE_FIRST = 0.4
"""`Shrinking`: share of the steps in which the largest trains alone."""

MOST_AT_ONCE = 3
"""Most random subnets per step of `Shrinking`: one in its first phase, two in the second, and so on."""


@dataclass(frozen=True)
class StepPlan:
    """The subnets of one step.

    Attributes:
        rows: ``(k, g)`` canonical rows.
        weights: weight of each subnet's loss.
        teacher: of all subnets if it is ``"frozen"``; of all but the first, which learns from labels, if ``"in_place"``.
        by_labels: whether subnets with a teacher learn from the labels too.
    """

    rows: Population
    weights: tuple[float, ...]
    teacher: Teacher
    by_labels: bool = False


class Schedule(Protocol):
    """The plan of every step, as a function of the step's number alone.

    Attributes:
        start: the first step that trains subnets other than the largest; -1 if there is none.
    """

    start: int

    def plan(self, step: int) -> StepPlan:
        """The plan of a step, counted from 0."""


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
    """

    def __init__(self, space: SearchSpace, steps: int, seed: int) -> None:
        self.space, self.seed = space, seed
        self.start, self.ramp_steps = round(WARMUP * steps), max(1, round(RAMP * steps))
        self.smallest, self.largest = extremes(space)

    def plan(self, step: int) -> StepPlan:
        if step < self.start:
            return StepPlan(self.largest[None], (1.0,), "none")
        rng = np.random.default_rng([self.seed, step])
        # Uniform in every gene: sampling distinct subnets uniformly would hardly ever draw a shallow one.
        random = self.space.sample(RANDOM_SUBNETS, rng, distinct_uniform=False)
        smallest = self.smallest.copy()
        # At a random resolution, so that the leading channels, which all subnets share, do not specialise in the smallest.
        for column in self.space.input_genes:
            smallest[column] = rng.choice(self.space.domain[column])
        rows = np.concatenate([self.largest[None], smallest[None], random])
        progress = min(1.0, (step - self.start) / self.ramp_steps)
        weight = EPSILON + (1 - EPSILON) * progress
        return StepPlan(rows, (1.0, *[weight] * (len(rows) - 1)), "in_place")


class Shrinking(Schedule):
    """One kind of gene after another becomes elastic, and the frozen largest subnet is the teacher.

    Args:
        space: whose subnets are trained.
        steps: length of the run.
        seed: of the random subnets.
    """

    def __init__(self, space: SearchSpace, steps: int, seed: int) -> None:
        self.seed = seed
        self.start = round(ALONE_FIRST * steps)
        self.largest = extremes(space)[1]
        self.phases = _phases(space, self.largest)
        self.phase_steps = max(1, (steps - self.start) // max(1, len(self.phases) - 1))

    def plan(self, step: int) -> StepPlan:
        rng = np.random.default_rng([self.seed, step])
        if step < self.start:
            rows = self.phases[0].sample(1, rng, distinct_uniform=False)
            return StepPlan(rows, (1.0,), "none")
        phase = min(1 + (step - self.start) // self.phase_steps, len(self.phases) - 1)
        k = max(1, min(phase, MOST_AT_ONCE))
        rows = self.phases[phase].sample(k, rng, distinct_uniform=False)
        return StepPlan(rows, (1.0,) * k, "frozen", by_labels=True)


def _phases(space: SearchSpace, largest: NDArray[Any]) -> list[SearchSpace]:
    """The spaces of all phases: in each, genes that are not yet elastic are fixed at the largest subnet's choices."""
    groups = [g for g in _ORDER if g in space.groups]
    inputs = {space.genes[c].group for c in space.input_genes}
    groups += [g for g in space.groups if g not in (*groups, *inputs)]
    phases = []
    for n_elastic in range(len(groups) + 1):
        columns = [c for g in groups[n_elastic:] for c in space.groups[g]]
        phases.append(space.restrict(**{space.genes[c].name: space.genes[c].choices[largest[c]] for c in columns}))
    return phases


class Alone(Schedule):
    """The largest subnet alone, as a baseline."""

    def __init__(self, space: SearchSpace) -> None:
        self.rows, self.start = extremes(space)[1][None], -1

    def plan(self, step: int) -> StepPlan:  # noqa: ARG002 (the same in every step)
        return StepPlan(self.rows, (1.0,), "none")


class Taught(Schedule):
    """One subnet alone, distilled from the largest as it was before: short training of an assembled model.

    Args:
        row: ``(g,)`` row of the subnet.
    """

    def __init__(self, row: NDArray[Any]) -> None:
        self.rows, self.start = row[None], -1

    def plan(self, step: int) -> StepPlan:  # noqa: ARG002 (the same in every step)
        return StepPlan(self.rows, (1.0,), "frozen")


SCHEDULES: dict[str, Callable[[SearchSpace, int, int], Schedule]] = {
    "sandwich": Sandwich,
    "shrinking": Shrinking,
    "alone": lambda space, steps, seed: Alone(space),  # noqa: ARG005
}


def get_schedule(name: str, space: SearchSpace, steps: int, seed: int) -> Schedule:
    """The schedule registered as ``name``.

    Raises:
        UnknownNameError: there is no such schedule; suggests the nearest.
    """
    if name not in SCHEDULES:
        raise UnknownNameError("schedule", name, SCHEDULES)
    return SCHEDULES[name](space, steps, seed)
