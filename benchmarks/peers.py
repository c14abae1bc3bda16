"""Searchers of other libraries on hwnas's problems: Optuna's samplers and BoTorch's qLogNEHVI.

Each gene is an ordinal number, as their documentation recommends for ordered choices. Inactive genes are set to the canonical
choice before the evaluation. hwnas itself needs neither library.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search import Problem, SearchOptions, non_dominated
from hwnas.space import Population, SearchSpace

BATCH = 10
"""Subnets that BoTorch chooses at once, as in LINAS."""

START = 20
"""Random subnets before BoTorch's first model, as in LINAS."""

POOL = 512
"""BoTorch chooses among this many random subnets and as many mutants of the front, because its local search over discrete choices
takes six seconds per chosen subnet."""

MUTATED = 2
"""Mean number of mutated genes."""

SAMPLES = 32
"""Posterior samples for BoTorch's estimate of an improvement."""

Peer = Callable[[Problem, SearchOptions], Population]
"""Runs a search; returns ``(n, g)`` evaluated rows in order, including repeats."""


def optuna(sampler: str) -> Peer:
    """``TPESampler``, ``NSGAIISampler`` or ``GPSampler`` with Optuna's defaults, one trial after the other."""

    def run(problem: Problem, options: SearchOptions) -> Population:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        space = problem.space
        directions = ["maximize" if o.maximise else "minimize" for o in problem.objectives]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chosen = getattr(optuna.samplers, sampler)(seed=options.seed)
            study = optuna.create_study(directions=directions, sampler=chosen)
            rows: list[Population] = []
            for _ in range(options.evaluations):
                trial = study.ask()
                places = [
                    trial.suggest_int(g.name, 0, len(d) - 1) for g, d in zip(space.genes, space.domain, strict=True)
                ]
                row = np.array([[d[i] for d, i in zip(space.domain, places, strict=True)]], dtype=np.int16)
                rows.append(space.canonical(row))
                values = problem.evaluate(rows[-1])
                study.tell(trial, [float(values[o.name][0]) for o in problem.objectives])
        return np.concatenate(rows)

    return run


@dataclass(frozen=True)
class Cube:
    """A space as the unit cube: each gene an ordinal number from 0 to 1."""

    space: SearchSpace

    @property
    def _steps(self) -> NDArray[np.float64]:
        return 1.0 / np.maximum([len(d) - 1 for d in self.space.domain], 1)

    def points(self, x: Population) -> NDArray[np.float64]:
        """``(n, g)`` rows to points."""
        places = [np.searchsorted(d, column) for d, column in zip(self.space.domain, x.T, strict=True)]
        return np.stack(places, axis=1) * self._steps

    def rows(self, points: NDArray[np.float64]) -> Population:
        """``(n, g)`` points to canonical rows."""
        places = np.rint(points / self._steps).astype(int)
        x = np.stack([d[p] for d, p in zip(self.space.domain, places.T, strict=True)], axis=1)
        return self.space.canonical(x.astype(np.int16))


def botorch(problem: Problem, options: SearchOptions) -> Population:
    """qLogNEHVI (Daulton et al. 2021; Ament et al. 2023) over a pool of candidates; cheap objectives are exact."""
    import torch

    torch.manual_seed(options.seed)
    cube, rng = Cube(problem.space), np.random.default_rng(options.seed)
    x = problem.space.sample(START, rng, distinct_uniform=False)
    costs = problem.costs(problem.evaluate(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while len(x) < options.evaluations:
            pool = _pool(problem.space, x[non_dominated(costs)], rng)
            new = cube.rows(_chosen(problem, cube, x, costs, pool, min(BATCH, options.evaluations - len(x))))
            x, costs = np.concatenate([x, new]), np.concatenate([costs, problem.costs(problem.evaluate(new))])
    return x


def _pool(space: SearchSpace, front: Population, rng: np.random.Generator) -> Population:
    drawn = space.sample(2 * POOL, rng, distinct_uniform=False)
    parents = front[rng.integers(len(front), size=POOL)]
    kept = rng.random(parents.shape) > MUTATED / space.n_genes
    return np.unique(space.canonical(np.concatenate([drawn[:POOL], np.where(kept, parents, drawn[POOL:])])), axis=0)


def _chosen(
    problem: Problem, cube: Cube, x: Population, costs: NDArray[np.float64], pool: Population, q: int
) -> NDArray[np.float64]:
    """``(q, g)`` points of the pool that together improve the front most, by models fitted to the evaluated rows."""
    import torch
    from botorch.acquisition.multi_objective.logei import (
        qLogNoisyExpectedHypervolumeImprovement,
    )
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.deterministic import GenericDeterministicModel
    from botorch.models.model import ModelList
    from botorch.optim import optimize_acqf_discrete
    from botorch.sampling.get_sampler import get_sampler
    from gpytorch.mlls import ExactMarginalLogLikelihood

    centre, unit = costs.mean(axis=0), costs.std(axis=0)
    points, gains = torch.tensor(cube.points(x)), torch.tensor((centre - costs) / unit)
    models: list[Any] = []
    for i, objective in enumerate(problem.objectives):
        if objective.name in problem.slow:
            gp = SingleTaskGP(points, gains[:, i : i + 1])
            fit_gpytorch_mll(ExactMarginalLogLikelihood(gp.likelihood, gp))
            models.append(gp)
        else:

            def exact(at: Any, fn: Any = objective.fn, sign: int = 1 if objective.maximise else -1, i: int = i) -> Any:
                value = sign * fn(cube.rows(at.reshape(-1, at.shape[-1]).numpy()))
                return torch.tensor((value + centre[i]) / unit[i]).reshape(*at.shape[:-1], 1)

            models.append(GenericDeterministicModel(exact))
    model = ModelList(*models)
    improvement = qLogNoisyExpectedHypervolumeImprovement(
        model,
        ref_point=gains.min(0).values - 0.1,
        X_baseline=points,
        sampler=get_sampler(model.posterior(points[:1]), torch.Size([SAMPLES])),
        prune_baseline=True,
        cache_root=False,
    )
    with torch.no_grad():
        found, _ = optimize_acqf_discrete(
            improvement, q=q, choices=torch.tensor(cube.points(pool)), max_batch_size=256, X_avoid=points
        )
    chosen: NDArray[np.float64] = found.numpy()
    return chosen
