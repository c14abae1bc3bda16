"""The subnets that are compared: the searched front, subnets of whole layers, random ones, and some fine-tuned alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from benchmarks.expected import searched
from benchmarks.own_networks._latency import Network, clock
from benchmarks.own_networks._run import Entry, Run
from hwnas.predictor import Predictor, new_predictor
from hwnas.search import MetricFunction, Objective, Problem, run_search
from hwnas.space import Population, SearchSpace, macs_cost
from hwnas.supernet import MeasuredAccuracy, Supernet, extremes
from hwnas.task import UserData

RANDOM = 12
"""Random subnets, uniform in every gene."""

TIMED = 60
"""Random subnets that are timed to fit the latency predictor of searches. A ridge regression of 24 took CNNs at 48 and at 64 pixels
for equally fast."""

ALONE = (0.35, 0.2)
"""The subnets of the front nearest to these multiples of the original's time are also fine-tuned alone."""


def searched_space(run: Run, net: Supernet) -> SearchSpace:
    """The space that is searched."""
    space = net.space
    if not run.task.open_input:
        return space
    largest = extremes(space)[1]
    genes = ((space.genes[c], largest[c]) for c in space.input_genes)
    return space.restrict(**{gene.name: gene.choices[choice] for gene, choice in genes})


def time_of(run: Run, net: Supernet) -> Predictor:
    """A predictor of a subnet's time as a multiple of the original's, fitted to `TIMED` measured subnets."""
    space = searched_space(run, net)
    rows = space.sample(TIMED, np.random.default_rng(TIMED), distinct_uniform=False)  # the same for all seeds
    rows = np.unique(np.concatenate([rows, np.stack(extremes(space))]), axis=0)
    names = [str(space.decode(row)) for row in rows]
    clock(run, net, [Network(name, net, row) for name, row in zip(names, rows, strict=True)])
    ratios = {entry["network"]: entry["ratio"] for entry in run.entries(cost="latency")}
    return new_predictor("gp", space).fit(rows, np.array([ratios[name] for name in names]))


def problem_of(space: SearchSpace, accuracy: MetricFunction, time: MetricFunction) -> Problem:
    """Accuracy against time."""
    objectives = [Objective("accuracy", "%", True, accuracy), Objective("time", "", False, time)]
    return Problem(space, objectives, slow=["accuracy"])


def front(
    space: SearchSpace, accuracy: MeasuredAccuracy, time: MetricFunction, run: Run
) -> tuple[Population, MetricFunction]:
    """``(n, g)`` the front that LINAS finds, and expected accuracies.

    A space with no more subnets than the run's evaluations is measured completely.
    """
    problem = problem_of(space, accuracy, time)
    if space.every(run.evaluations) is not None:
        return run_search(Problem(space, problem.objectives), "exact").x, accuracy
    return searched(problem, accuracy, run.evaluations, run.seed)


def whole_layers(space: SearchSpace, *, any_input: bool) -> SearchSpace:
    """Subnets of whole layers: depths are free, and inputs if asked for; all other genes have their largest choice."""
    largest = extremes(space)[1]
    free = {"d", *(space.genes[column].group for column in space.input_genes if any_input)}
    fixed = {
        gene.name: gene.choices[choice]
        for gene, choice in zip(space.genes, largest, strict=True)
        if gene.group not in free
    }
    return space.restrict(**fixed)


def only(net: Supernet, row: Population) -> Supernet:
    """A supernet that contains only one subnet, with its part of the pretrained weights."""
    other = net.alike(net.tensors)
    genes = net.space.genes
    other.space = net.space.restrict(**{g.name: g.choices[choice] for g, choice in zip(genes, row, strict=True)})
    return other


def shown(space: SearchSpace, row: Population) -> str:
    """A subnet in words, with ``-`` for inactive genes: ``d 3, h 4 - 12, f 384 - 1536, l 32``."""
    active = space.active(row[None])[0]
    words = []
    for group, columns in space.groups.items():
        values = [str(space.genes[c].choices[row[c]]) if active[c] else "-" for c in columns]
        words.append(f"{group} {' '.join(values)}")
    return ", ".join(words)


def compare(run: Run) -> None:
    """Search, and record the accuracies of all kinds of subnets of the supernet."""
    net, data = run.opened()
    net = run.fine_tuned("supernet", net, data, "sandwich")
    accuracy, journal = run.accuracy("supernet", net, "data")
    test, other = run.accuracy("supernet", net, "test")
    space, macs, time = searched_space(run, net), macs_cost(net.space), time_of(run, net)
    found, expects = front(space, accuracy, time, run)
    kinds = {
        "extremes": np.stack(extremes(space)),
        "searched": found,
        "whole layers": front(whole_layers(space, any_input=False), accuracy, time, run)[0],
        "random": space.sample(RANDOM, np.random.default_rng(run.seed), distinct_uniform=False),
    }
    if space.input_genes and not run.task.open_input:
        kinds["whole layers and inputs"] = front(whole_layers(space, any_input=True), accuracy, time, run)[0]
    if run.task.open_input:
        kinds["cut shorter"] = np.array([_cut(net.space, row) for row in kinds["searched"]])
    known = {(entry["kind"], str(entry["arch"])) for entry in run.entries() if "kind" in entry}
    for kind, rows in kinds.items():
        by_data = expects if kind == "searched" else accuracy
        for row in rows:
            arch = net.space.decode(row)
            if (kind, str(arch)) not in known:
                values = {"data": float(by_data(row[None])[0]), "test": float(test(row[None])[0])}
                run.record(kind=kind, arch=arch, shown=shown(net.space, row), macs=float(macs(row[None])[0]), **values)
    journal.close()
    other.close()


def _cut(space: SearchSpace, row: Population) -> Population:
    """The same subnet with the next smaller input size."""
    other = row.copy()
    for column in space.input_genes:
        other[column] = max(0, row[column] - 1)
    return other


def alone(run: Run) -> None:
    """Fine-tune some subnets of the searched front alone, from the pretrained weights and for as many steps."""
    ratios = {entry["network"]: float(entry["ratio"]) for entry in run.entries(cost="latency")}
    found = run.entries(kind="searched")

    def distance(entry: Entry, ratio: float) -> float:
        return abs(math.log(ratios[str(entry["arch"])] / ratio))

    chosen: Mapping[str, Entry] = {
        str(entry["arch"]): entry for ratio in ALONE for entry in [min(found, key=lambda e: distance(e, ratio))]
    }
    for number, entry in enumerate(chosen.values()):
        net, data = run.opened()
        row = net.space.encode(entry["arch"])
        measured_alone(run, f"alone-{number}", "alone", only(net, row), data, row)


def plain(run: Run) -> None:
    """Fine-tune the whole network alone."""
    net, data = run.opened()
    measured_alone(run, "plain", "plain", net, data, extremes(net.space)[1])


def measured_alone(run: Run, name: str, kind: str, net: Supernet, data: UserData, row: Population) -> None:
    """Fine-tune one subnet of a network alone, and record its accuracy.

    Args:
        run: keeps the result.
        name: of its files.
        kind: of network, in the report.
        net: pretrained; the schedule "alone" trains its largest subnet.
        data: to learn from.
        row: ``(g,)`` the subnet.
    """
    if run.entries(kind=kind, name=name):
        return
    net = run.fine_tuned(name, net, data, "alone")
    values = {}
    for split in ("data", "test"):
        accuracy, journal = run.accuracy(name, net, split)
        with journal:
            values[split] = float(accuracy(row[None])[0])
    macs = float(macs_cost(net.space)(row[None])[0])
    words = shown(net.space, row)
    run.record(kind=kind, name=name, arch=net.space.decode(row), shown=words, macs=macs, **values)
