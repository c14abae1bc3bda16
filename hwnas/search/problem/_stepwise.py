"""Searchers written as generators: they yield rows to evaluate, and are sent their values."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import SpaceError
from hwnas.search.problem._batch import Batch
from hwnas.search.problem._pool import Pool
from hwnas.search.problem._problem import Problem
from hwnas.search.problem._result import SearchResult
from hwnas.search.problem._searcher import SearchOptions
from hwnas.search.problem._seen import Values, at_rows
from hwnas.space import Population

Steps = Generator[Population, Values, None]
"""Yields ``(n, g)`` canonical rows, which may repeat and may be known; is sent every metric of all n rows."""


class Stepwise:
    """A searcher made of a generator.

    The generator is sent a batch once all of it is told, in the order in which it asked. So results depend neither on
    how many rows are asked for at once nor on which evaluation ends first. Rows that it yields again are answered
    from memory. It may read the pool, whose content does not depend on the order of tells within a batch.

    Args:
        name: the searcher's name.
        problem: what is searched for.
        options: ``evaluations`` bounds the rows asked for; the generator reads the others.
        steps: begins the generator.
        waits: whether the generator needs all values of a batch before it goes on. A generator that only reads the pool
            does not: it goes on once its rows are handed out, while ``pool.pending`` holds the rows not told yet.
    """

    def __init__(
        self,
        name: str,
        problem: Problem,
        options: SearchOptions,
        steps: Callable[[Pool, SearchOptions], Steps],
        *,
        waits: bool = True,
    ) -> None:
        self.name, self.problem, self.options = name, problem, options
        self._waits = waits
        self._pool = Pool(problem)
        self._steps = _generator(name, steps(self._pool, options))
        self._batch: Batch | None = None
        self._begun = self._ended = False
        self._trace: list[tuple[int, float]] = []

    def ask(self, n: int, /) -> Population:
        """See Searcher."""
        if not self._waits and self._batch is not None and not self._ended:
            self._batch.is_abandoned = self._batch.is_handed_out
        self._advance()
        return self._pool.x[:0] if self._batch is None else self._batch.hand_out(n)

    def tell(self, x: NDArray[Any], values: Mapping[str, NDArray[np.float64]], /) -> None:
        """See Searcher."""
        asked = self._pool.x[:0] if self._batch is None else self._batch.x
        x, told = checked(self.problem, x, values, asked)
        while len(x):
            self._advance()
            if self._batch is None:
                self._batch = Batch(self._pool, x[:0], 0)
            used = self._batch.take(x, told)
            x, told = x[used:], at_rows(told, slice(used, None))

    def front(self) -> SearchResult:
        """See Searcher."""
        pool, evaluations, trace = self._pool, len(self._pool.seen), self._trace
        if self._batch is not None and len(told := self._batch.told[0]):
            pool, evaluations = pool.joined(*self._batch.told), evaluations + len(told)
            trace = [*trace, (evaluations, pool.hypervolume())]
        return SearchResult.of(pool, self.name, self.options.seed, evaluations, tuple(trace))

    def _advance(self) -> None:
        """Go on to the next batch that has rows to evaluate, if the present one is told or abandoned."""
        while not self._ended and (self._batch is None or self._batch.is_complete or self._batch.is_abandoned):
            answer = None
            if self._batch is not None:
                answer = self._batch.finish()
                self._trace.append((len(self._pool.seen), self._pool.hypervolume()))
                self._batch = None
            try:
                wanted = self._steps.send(answer) if self._begun and answer is not None else next(self._steps)
            except StopIteration:
                self._ended = True
                return
            self._begun = True
            wanted = self.problem.space.checked(wanted)
            self._batch = Batch(self._pool, wanted, self.options.evaluations - self._pool.asked)
            if self._batch.is_cut:  # the budget ends within this batch, and the search with it
                self._steps.close()
                self._ended = True


def checked(
    problem: Problem, x: NDArray[Any], values: Mapping[str, NDArray[np.float64]], asked: Population
) -> tuple[Population, Values]:
    """Canonical rows with a copy of every metric; metrics that are neither slow nor given are computed.

    Rows equal to those ``asked`` for need no check.

    Raises:
        SpaceError: a row is outside the space, or a slow metric is missing or not finite.
    """
    x, genes = np.asarray(x), problem.space.genes
    if x.ndim != 2 or x.shape[1] != len(genes) or not np.issubdtype(x.dtype, np.integer):
        rule = f"rows have {len(genes)} genes, whole numbers, one row per subnet"
        raise SpaceError(f"told an array of {x.dtype} of shape {x.shape}", rule, "pass what was asked for")
    if not np.array_equal(x, asked):
        outside: NDArray[np.bool_] = np.any((x < 0) | (x >= [len(g.choices) for g in genes]), axis=1)
        outside[~outside] = ~problem.space.contains(x[~outside])
        if outside.any():
            raise SpaceError(f"told row {int(outside.argmax())}", f"it is outside {problem.space.name}", "leave it out")
        x = problem.space.canonical(x)
    complete: Values = {}
    for name, fn in problem.metrics.items():
        if name not in values and name in problem.slow:
            raise SpaceError(f"told values of {', '.join(values) or 'nothing'}", f"{name} is missing", "tell it too")
        complete[name] = np.array(values[name] if name in values else fn(x), dtype=np.float64)
        if complete[name].shape != (len(x),):
            rule = f"it has shape {complete[name].shape} for {len(x)} rows"
            raise SpaceError(f"told values of {name}", rule, "tell one number per row")
        if name in problem.slow and not np.isfinite(complete[name]).all():
            worst = int((~np.isfinite(complete[name])).argmax())
            arch = problem.space.decode(x[worst])
            raise SpaceError(f"{name} of {arch}", f"it is {complete[name][worst]:g}", "tell finite numbers only")
    return x, complete


def _generator(name: str, steps: Any) -> Steps:
    """The steps, if they are a generator. Raises SpaceError."""
    if not isinstance(steps, Generator):
        rule = f"its steps are {type(steps).__name__}, no generator"
        raise SpaceError(f"searcher {name}", rule, "yield rows in the function of its steps")
    return steps
