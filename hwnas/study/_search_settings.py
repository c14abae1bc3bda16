"""Settings of a search, and the check that they go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwnas.arguments import check_whole
from hwnas.errors import DataError
from hwnas.files import ends_in
from hwnas.study._evaluation import Evaluation
from hwnas.study._slow_metric import SlowMetric

EXACT = "exact"

WITHOUT_GENERATIONS = (EXACT, "linas")
"""Searchers without a population, whose number of evaluations is their own."""

WAITS_FOR_NONE = ("linas", "random")
"""Searchers that propose subnets while evaluations are pending."""


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Attributes:
        searcher: its name; None for the default one.
        population, generations: sizes of an evolution; None for the searcher's own.
        seed: the same seed gives the same result.
        top: number of rows to keep, the most accurate first; None for the whole front.
        verify: measure the front on the main device, correct its table, and search again until the front holds.
        seed_archs: a CSV of subnets to start from.
        prior: a CSV or a predictor of accuracies measured elsewhere, for searches that evaluate accuracy.
        asynchronous: no worker waits for others; two runs then differ.
    """

    searcher: str | None = None
    population: int | None = None
    generations: int | None = None
    seed: int = 0
    top: int | None = None
    verify: bool = False
    seed_archs: Path | None = None
    prior: str | None = None
    asynchronous: bool = False

    def check(self, asked: SlowMetric | None) -> None:
        """Refuse settings that contradict each other.

        Raises:
            UnknownNameError: there is no such searcher.
            SpaceError: the searcher's package does not load.
            DataError: a setting has no meaning here; the message names the first.
        """
        from hwnas.search import searcher_maker

        for name, least in (("population", 2), ("generations", 1), ("top", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None or name == "seed":
                check_whole(name, value, least)
        if self.searcher is not None:
            searcher_maker(self.searcher)
        sizes = {"population": self.population, "generations": self.generations}
        if asked is not None:
            asked.refuse_unused({**sizes, "verify": self.verify})
        for name, value in sizes.items():
            if value is not None and self.searcher in WITHOUT_GENERATIONS:
                raise DataError(f"{name} {value}", f"{self.searcher} has no generations", f"drop --{name}")
        if not isinstance(asked, Evaluation) and self.prior is not None:
            other = f"pass --predictor {self.prior}" if ends_in(self.prior, ".safetensors") else "drop --prior"
            raise DataError(f"prior {self.prior}", "predictions need none", f"{other}, or add --evaluate")
        if self.asynchronous and not (isinstance(asked, Evaluation) and asked.where.elsewhere):
            remedy = f"add {'' if isinstance(asked, Evaluation) else '--evaluate '}--workers N"
            raise DataError("asynchronous", "it needs evaluations by several workers", remedy)
        if self.asynchronous and isinstance(asked, Evaluation) and asked.racing is not None:
            raise DataError("racing with asynchronous", "a race waits for whole batches", "drop one of the two")
        if self.asynchronous and self.searcher not in (None, *WAITS_FOR_NONE):
            rule = f"{self.searcher} waits for whole batches"
            raise DataError("asynchronous", rule, f"pass --searcher {' or '.join(WAITS_FOR_NONE)}")
        if self.seed_archs is not None and self.searcher == EXACT:
            raise DataError(f"seed archs {self.seed_archs}", "the exact front needs no start", "drop --seed-archs")
