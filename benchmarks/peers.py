"""Searchers of other libraries that a user would pick, on hwnas's problems: Optuna's samplers and BoTorch's qLogNEHVI.

They see each gene as an ordinal number, as their documentation advises for ordered choices; genes without effect
are set to the canonical choice before the evaluation. Neither library is needed by hwnas itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search import Problem, SearchOptions
from hwnas.space import Population

BATCH = 10
"""Subnets that BoTorch chooses at once, as many as LINAS does."""

START = 20
"""Random subnets before BoTorch's first model, as many as LINAS starts with."""

Peer = Callable[[Problem, SearchOptions], Population]
"""Spends evaluations; returns ``(n, g)`` rows in the order in which they were evaluated, repeats included."""


def optuna(sampler: str) -> Peer:
    """``TPESampler``, ``NSGAIISampler`` or ``GPSampler`` with Optuna's defaults, one trial after the other."""

    def run(problem: Problem, options: SearchOptions) -> Population:
        import optuna  # noqa: PLC0415

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


def botorch(problem: Problem, options: SearchOptions) -> Population:
    """qLogNEHVI (Daulton et al. 2021; Ament et al. 2023) by discrete local search; cheap objectives are exact."""
    import torch  # noqa: PLC0415
    from botorch.acquisition.multi_objective.logei import (  # noqa: PLC0415
        qLogNoisyExpectedHypervolumeImprovement,
    )
    from botorch.fit import fit_gpytorch_mll  # noqa: PLC0415
    from botorch.models import SingleTaskGP  # noqa: PLC0415
    from botorch.models.deterministic import GenericDeterministicModel  # noqa: PLC0415
    from botorch.models.model import ModelList  # noqa: PLC0415
    from botorch.optim import optimize_acqf_discrete_local_search  # noqa: PLC0415
    from botorch.sampling.get_sampler import get_sampler  # noqa: PLC0415
    from gpytorch.mlls import ExactMarginalLogLikelihood  # noqa: PLC0415

    torch.manual_seed(options.seed)
    space, rng = problem.space, np.random.default_rng(options.seed)
    sizes = np.array([len(d) for d in space.domain])
    steps = torch.tensor(1.0 / np.maximum(sizes - 1, 1))
    choices = [torch.arange(int(n), dtype=torch.double) * s for n, s in zip(sizes, steps, strict=True)]

    def rows(u: Any) -> NDArray[np.int16]:
        places = np.rint((u / steps).numpy()).astype(int)
        x = np.stack([d[np.clip(p, 0, len(d) - 1)] for d, p in zip(space.domain, places.T, strict=True)], axis=1)
        return space.canonical(x.astype(np.int16))

    def points(x: NDArray[Any]) -> Any:
        places = np.stack([np.searchsorted(d, c) for d, c in zip(space.domain, x.T, strict=True)], axis=1)
        return torch.tensor(places, dtype=torch.double) * steps

    def signed(values: dict[str, NDArray[np.float64]]) -> Any:
        return torch.tensor(-problem.costs(values))

    x = space.sample(START, rng, distinct_uniform=False)
    y = signed(problem.evaluate(x))
    unit = (y.mean(0), y.std(0))  # of the first subnets: cheap objectives keep one scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while len(x) < options.evaluations:
            train, target = points(x), (y - unit[0]) / unit[1]
            models: list[Any] = []
            for i, o in enumerate(problem.objectives):
                if o.name in problem.slow:
                    gp = SingleTaskGP(train, target[:, i : i + 1])
                    fit_gpytorch_mll(ExactMarginalLogLikelihood(gp.likelihood, gp))
                    models.append(gp)
                else:

                    def exact(u: Any, o: Any = o, i: int = i) -> Any:
                        flat = u.reshape(-1, u.shape[-1])
                        value = torch.tensor(o.fn(rows(flat)) * (1 if o.maximise else -1))
                        return ((value - unit[0][i]) / unit[1][i]).reshape(*u.shape[:-1], 1)

                    models.append(GenericDeterministicModel(exact))
            model = ModelList(*models)
            gain = qLogNoisyExpectedHypervolumeImprovement(
                model,
                ref_point=target.min(0).values - 0.1,
                X_baseline=train,
                sampler=get_sampler(model.posterior(train[:1]), torch.Size([32]), seed=options.seed),
                prune_baseline=True,
                cache_root=False,
            )
            q = min(BATCH, options.evaluations - len(x))
            found, _ = optimize_acqf_discrete_local_search(
                gain, discrete_choices=choices, q=q, num_restarts=4, raw_samples=512, max_batch_size=512, X_avoid=train
            )
            new = rows(found)
            x, y = np.concatenate([x, new]), torch.cat([y, signed(problem.evaluate(new))])
    return x
