"""The subnets that are compared: the searched front, those of whole layers, random ones, and some fine-tuned alone."""

from __future__ import annotations

import numpy as np

from benchmarks.own_networks._run import Run
from hwnas.search import MetricFunction, Objective, Problem, run_search
from hwnas.space import Population, SearchSpace, macs_cost
from hwnas.supernet import Supernet, extremes
from hwnas.task import UserData

RANDOM = 16
"""Random subnets, every gene uniform."""

ALONE = 3
"""Subnets of the front that are also fine-tuned alone."""


def problem_of(space: SearchSpace, accuracy: MetricFunction) -> Problem:
    """Accuracy as it is measured against MACs."""
    macs = macs_cost(space)
    objectives = [Objective("accuracy", "%", True, accuracy), Objective("macs", "", False, macs)]
    return Problem(space, objectives, slow=["accuracy"])


def front(space: SearchSpace, accuracy: MetricFunction, evaluations: int, seed: int) -> Population:
    """``(n, g)`` what LINAS finds with so many evaluations; of spaces that are no larger, the front of all subnets."""
    problem = problem_of(space, accuracy)
    if space.every(evaluations) is not None:
        whole = Problem(space, problem.objectives)
        return run_search(whole, "exact").x
    return run_search(problem, "linas", evaluations=evaluations, seed=seed).x


def whole_layers(space: SearchSpace) -> SearchSpace:
    """Sub-models of whole layers: depths and inputs are free, all other genes at their largest."""
    largest = extremes(space)[1]
    free = {"d", *(space.genes[column].group for column in space.input_genes)}
    return space.restrict(
        **{
            gene.name: gene.choices[choice]
            for gene, choice in zip(space.genes, largest, strict=True)
            if gene.group not in free
        }
    )


def only(net: Supernet, row: Population) -> Supernet:
    """The network with one subnet alone: its weights are what is cut out of the pretrained ones."""
    other = net.alike(net.tensors)
    genes = net.space.genes
    other.space = net.space.restrict(**{g.name: g.choices[choice] for g, choice in zip(genes, row, strict=True)})
    return other


def shown(space: SearchSpace, row: Population) -> str:
    """A subnet in words, without the genes that have no effect: ``d 3, h 4 - 12, f 384 - 1536, l 32``."""
    active = space.active(row[None])[0]
    words = []
    for group, columns in space.groups.items():
        values = [str(space.genes[c].choices[row[c]]) if active[c] else "-" for c in columns]
        words.append(f"{group} {' '.join(values)}")
    return ", ".join(words)


def compare(run: Run) -> None:
    """Search, and write down the accuracies of all kinds of subnets of the supernet."""
    net, data = run.opened()
    net = run.fine_tuned("supernet", net, data, "sandwich")
    accuracy, journal = run.accuracy("supernet", net, "data")
    test, other = run.accuracy("supernet", net, "test")
    space, macs = net.space, macs_cost(net.space)
    kinds = {
        "extremes": np.stack(extremes(space)),
        "searched": front(space, accuracy, run.evaluations, run.seed),
        "whole layers": front(whole_layers(space), accuracy, run.evaluations, run.seed),
        "random": space.sample(RANDOM, np.random.default_rng(run.seed), distinct_uniform=False),
    }
    known = {(entry["kind"], str(entry["arch"])) for entry in run.entries() if "kind" in entry}
    for kind, rows in kinds.items():
        for row in rows:
            arch = space.decode(row)
            if (kind, str(arch)) not in known:
                values = {"data": float(accuracy(row[None])[0]), "test": float(test(row[None])[0])}
                run.record(kind=kind, arch=arch, shown=shown(space, row), macs=float(macs(row[None])[0]), **values)
    journal.close()
    other.close()


def alone(run: Run) -> None:
    """Fine-tune some of the searched front alone: small networks made of the pretrained weights, for as many steps."""
    found = sorted(run.entries(kind="searched"), key=lambda entry: float(entry["macs"]))
    chosen = np.linspace(0, len(found) - 1, ALONE + 2).round().astype(int)[1:-1]
    for number in dict.fromkeys(chosen.tolist()):
        entry = found[number]
        net, data = run.opened()
        row = net.space.encode(entry["arch"])
        measured_alone(run, f"alone-{number}", "alone", only(net, row), data, row)


def plain(run: Run) -> None:
    """Fine-tune the whole network alone."""
    net, data = run.opened()
    measured_alone(run, "plain", "plain", net, data, extremes(net.space)[1])


def measured_alone(run: Run, name: str, kind: str, net: Supernet, data: UserData, row: Population) -> None:
    """Fine-tune one subnet of a network alone, and write down its accuracy.

    Args:
        run: where to.
        name: of its files.
        kind: of what it is compared with.
        net: pretrained; of one subnet, or its largest is meant.
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
