"""Where a front goes: CSV, provenance, picture, and what is printed."""

# ruff: noqa: PLC0415 (what is heavy is imported when the command runs)

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.errors import DataError
from hwnas.files import check_writable, together
from hwnas.metric import LATENCY, Budget, Direction, metrics

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hwnas.report import Picture
    from hwnas.search import SearchResult
    from hwnas.space import Population, SearchSpace
    from hwnas.study._metrics import Metrics

SHIPPED = "digits"
"""The supernet that comes with its weights."""

SAMPLE = 1600
"""Random subnets drawn behind the front."""

_MEASURED = LATENCY.companion("measured")


@dataclass(frozen=True)
class Outputs:
    """The three files of a search."""

    csv: Path

    @property
    def json(self) -> Path:
        return self.csv.with_suffix(".json")

    @property
    def png(self) -> Path:
        return self.csv.with_suffix(".png")

    def check(self) -> None:
        """Refuse before the search what could not be written after it.

        Raises:
            DataError: the name does not end in ``.csv``, or a file cannot be written.
        """
        if self.csv.suffix.lower() != ".csv":
            raise DataError(f"--out {self.csv}", "the front is a CSV", f"write {self.csv.with_suffix('.csv').name}")
        for path in (self.csv, self.json, self.png):
            check_writable(path)

    def write(self, frame: pd.DataFrame, facts: Mapping[str, Any]) -> None:
        """Write all three or none, the CSV last: where it is new, the others are."""
        from hwnas.report import save_plot, write_pareto, write_provenance

        with together():
            save_plot(picture_of(frame, facts), self.png)
            write_provenance(facts, self.json)
            write_pareto(frame, self.csv)


def front_frame(result: SearchResult, metrics: Metrics, top: int | None) -> pd.DataFrame:
    """The front with every known metric, best first; with ``top``, only so many rows."""
    from hwnas.report import pareto_frame

    objectives = [o.name for o in result.problem.objectives]
    directions = _directions(result)
    frame = pareto_frame(metrics.space.decode_many(result.x), metrics.score(result.x), objectives, directions)
    return frame if top is None else frame.head(top)


def random_sample(
    metrics: Metrics, columns: tuple[str, str], budgets: Mapping[str, Budget], seed: int
) -> dict[str, list[float]]:
    """Values of random subnets, for the picture; those that break a budget it does not show are left out."""
    import numpy as np

    x = _of_all_sizes(metrics.space, SAMPLE, np.random.default_rng(seed))
    for name, budget in budgets.items():
        if name not in columns:
            x = x[budget.holds(metrics.functions[name](x))]
    return values_of(metrics, x, columns)


def values_of(metrics: Metrics, x: Population, columns: tuple[str, str]) -> dict[str, list[float]]:
    """Values of subnets by column, short."""
    return {name: [float(f"{v:.5g}") for v in metrics.functions[name](x)] for name in columns}


def _of_all_sizes(space: SearchSpace, n: int, rng: np.random.Generator) -> Population:
    """Canonical rows from small to large. Uniform ones are nearly all of middling size, and would leave the budget's
    side of a picture empty; here each row leans to the low or the high choices of its genes by a random degree."""
    import numpy as np

    lean = rng.uniform(0.02, 0.98, size=(n, 1))
    shares = rng.beta(3 * lean, 3 * (1 - lean), size=(n, space.n_genes))
    x = np.zeros((n, space.n_genes), dtype=np.int16)
    for column, allowed in enumerate(space.domain):
        x[:, column] = allowed[np.minimum((shares[:, column] * len(allowed)).astype(int), len(allowed) - 1)]
    return space.canonical(x)


def space_facts(space: SearchSpace) -> dict[str, Any]:
    """Identity of the space, and the genes whose choices were restricted."""
    restricted = {
        gene.name: [gene.choices[i] for i in allowed]
        for gene, allowed in zip(space.genes, space.domain, strict=True)
        if len(allowed) < len(gene.choices)
    }
    return {
        "name": space.name,
        "fingerprint": space.fingerprint,
        "subnets": space.size(),
        "restricted": restricted,
    }


def budget_facts(budgets: Mapping[str, Budget]) -> dict[str, dict[str, float]]:
    """Upper bounds and, where there are any, lower ones, by column."""
    floors = {name: b.lower for name, b in budgets.items() if b.lower > -math.inf}
    facts = {"budgets": {name: b.upper for name, b in budgets.items() if b.upper < math.inf}}
    return facts | ({"floors": floors} if floors else {})


def _directions(result: SearchResult) -> dict[str, Direction]:
    return {o.name: "max" if o.maximise else "min" for o in result.problem.objectives}


def search_facts(result: SearchResult, budgets: Mapping[str, Budget], settings: Mapping[str, int]) -> dict[str, Any]:
    """How the front was found, and how large it is."""
    import numpy as np

    from hwnas.report import hypervolume

    objectives = result.problem.objectives
    values = np.stack([result.values[o.name] for o in objectives], axis=1)  # noqa: PD011
    return {
        "objectives": [o.name for o in objectives],
        "directions": _directions(result),
        **budget_facts(budgets),
        "searcher": {"name": result.searcher, "seed": result.seed, **settings},
        "evaluations": result.evaluations,
        "hypervolume": {
            "value": hypervolume(values, result.reference, [o.maximise for o in objectives]),
            "reference": dict(zip((o.name for o in objectives), result.reference, strict=True)),
        },
        "trace": [[evaluations, float(f"{volume:.7g}")] for evaluations, volume in result.trace],
        "certificate": dict(result.certificate),
    }


def axes_of(columns: Sequence[str], objectives: Sequence[str]) -> tuple[str, str]:
    """``(x, y)``: the first objective stands upright, the second lies; else what there is."""
    usual = sorted(metrics().values(), key=lambda m: ("weights", "device", "layers", "file").index(m.source))
    known = [name for name in (*objectives, *(m.column for m in usual)) if name in columns]
    if not known:
        named = ", ".join(m.column for m in usual)
        raise DataError("the front", f"it has none of the columns {named}", "add one to draw it")
    y = known[0]
    x = next((name for name in known if name != y), y)
    return x, y


def picture_of(frame: pd.DataFrame, facts: Mapping[str, Any]) -> Picture:
    """The picture of a front, from its table and what its provenance tells (nothing, if it is lost).

    Where every row's latency was measured, that is what is drawn, beside the prediction.
    """
    import numpy as np

    from hwnas.report import Picture

    x, y = axes_of(list(frame.columns), list(facts.get("objectives", [])))
    sample = {name: np.asarray(values, dtype=float) for name, values in facts.get("random_sample", {}).items()}
    budgets = dict(facts.get("budgets", {}))
    measured = _MEASURED in frame.columns and bool(frame[_MEASURED].notna().all())
    if measured and x == LATENCY.column:
        x = _MEASURED
        for known in (sample, budgets):
            if LATENCY.column in known:
                known[x] = known[LATENCY.column]
    space = facts.get("space", {}).get("name", "front")
    device = (facts.get("device") or {}).get("id")
    subnets = facts.get("space", {}).get("subnets")
    words = [f"{len(frame)} Pareto-optimal subnets" + (f" of {_power(subnets)}" if subnets else "")]
    if facts.get("predictor"):
        by = "" if measured else f" by {facts['predictor']['name']}"  # no room for both
        words.append(f"accuracy predicted{by}")
    if facts.get("evaluator"):
        words.append(f"accuracy measured on {facts['evaluator']['images']} images")
    if measured:
        words.append("latency measured")
    return Picture(
        frame=frame,
        x=x,
        y=y,
        title=f"{space} on {device}" if device else str(space),
        subtitle=" · ".join(words),
        sample=sample,
        budgets=budgets,
        floors=facts.get("floors", {}),
        directions=facts.get("directions", {}),
        sample_label="subnets evaluated" if facts.get("evaluator") else "random subnets",
        z=next(
            (name for name in facts.get("objectives", [])[2:] if name in frame.columns and name not in (x, y)), None
        ),
    )


def _power(count: int) -> str:
    """``1.1 × 10^20`` as matplotlib sets it; small counts as they are."""
    if count < 1_000_000:
        return f"{count:,}"
    digits, exponent = f"{count:.1e}".split("e+")
    return rf"${digits} \times 10^{{{int(exponent)}}}$"


def next_steps(
    csv: Path, rows: int, supernet: str | None, checkpoint: Path | None, data: Path | None, *, timed_here: bool
) -> list[str]:
    """Commands to type after a search, with what they are for; without a supernet there is nothing to export."""
    name = shlex.quote(str(csv))
    if supernet is None:
        return [f"next: hwnas report {name} --html   (the front as a page to explore)"]
    weights = "" if supernet == SHIPPED or checkpoint else f"; its weights: hwnas download {supernet}"
    export = f"hwnas export {name} --row 1"
    for option, value in (("--checkpoint", checkpoint), ("--data", data)):
        export += f" {option} {shlex.quote(str(value))}" if value is not None else ""
    steps = [(f"hwnas report {name} --html", "the front as a page to explore"), (export, f"a subnet as ONNX{weights}")]
    if timed_here:
        few = " --most 40" if rows > 100 else ""
        steps.insert(0, (f"hwnas measure {name}{few}", "predicted beside measured, on the device"))
    width = max(len(command) for command, _ in steps)
    return [f"{'' if i else 'next: ':6}{command:{width}}   ({what})" for i, (command, what) in enumerate(steps)]


def as_json(frame: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """The front and its provenance as one JSON text; archs as objects."""
    rows = [{**row, "arch": json.loads(row["arch"])} for row in frame.to_dict(orient="records")]
    facts = {key: value for key, value in facts.items() if key != "random_sample"}
    return json.dumps({"front": rows, "provenance": facts}, indent=2)
