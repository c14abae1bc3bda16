"""Rank correlation of zero-cost scores with accuracy, compared with that of the networks' size.

    python -m benchmarks.zero_cost [--supernet REFERENCE --journal FILE]

Kendall's tau and Spearman's rho of every score, of MACs and of parameters with measured accuracies: on NAS-Bench-201 (each cell
trained alone), on the supernet that ships (inherited weights), or on your own supernet, with the journal of
``hwnas evaluate --sample`` (a search's journal holds no random subnets). Mean and standard deviation over disjoint samples, also
for the better half of the networks, because a search does not need the others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from benchmarks import DATA
from benchmarks.nasbench201_network import cell_network
from hwnas.io import read_subnet_table
from hwnas.space import Network, Population, SearchSpace, macs_cost, nasbench201, params_cost
from hwnas.supernet import MeasuredAccuracy, load_supernet
from hwnas.supernet.zero_cost import ZERO_COST

Values = NDArray[np.float64]
UNREACHED = -1e9
"""Score of a cell whose input does not reach its output."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--size", type=int, default=40, help="networks per sample")
    parser.add_argument("--supernet", help="with --journal: a reference")
    parser.add_argument("--journal", type=Path, help="its accuracies")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    n = options.samples * options.size
    if options.supernet:
        report(options.supernet, *own(options.supernet, options.journal), options.samples)
        return
    for name, values, accuracy in nasbench(options.data / "nasbench201", n):
        report(name, values, accuracy, options.samples)
    report("digits", *digits(n), options.samples)


def nasbench(folder: Path, n: int) -> Iterator[tuple[str, dict[str, Values], Values]]:
    """Scores of random cells, and their test accuracy on each data set after 200 epochs."""
    space = nasbench201()
    table = read_subnet_table([folder / "accuracy.csv.gz"], space, {})
    rows = np.random.default_rng(0).permutation(len(table.x))[:n]
    x = table.x[rows]
    values = {"params": table.columns["params_m"][rows], "macs": table.columns["flops_m"][rows]}
    values |= scored([cell_network(space, row) for row in x])
    for data, column in {
        "CIFAR-10": "c10_test_200ep",
        "CIFAR-100": "c100_test_200ep",
        "ImageNet16": "in16_test_200ep",
    }.items():
        yield f"NAS-Bench-201, {data}", values, table.columns[column][rows]


def digits(n: int) -> tuple[dict[str, Values], Values]:
    """Scores and accuracies of subnets of the supernet that ships."""
    net = load_supernet("digits")
    x = np.unique(net.space.sample(4 * n, np.random.default_rng(0), distinct_uniform=False), axis=0)
    x = np.random.default_rng(1).permutation(x)[:n]
    data = net.data()
    assert data is not None
    return of_space(net.space, x), MeasuredAccuracy(net, data)(x)


def own(reference: str, journal: Path) -> tuple[dict[str, Values], Values]:
    """Scores and accuracies from a journal, in random order, because a search finds better subnets over time."""
    net = load_supernet(reference)
    entries = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()[1:]]
    entries = [entries[i] for i in np.random.default_rng(0).permutation(len(entries))]
    x = np.stack([net.space.encode(entry["arch"]) for entry in entries])
    return of_space(net.space, x), np.array([entry[net.metric] for entry in entries])


def of_space(space: SearchSpace, x: Population) -> dict[str, Values]:
    """Sizes and scores by name, ``(n,)`` each."""
    sizes = {"params": params_cost(space)(x), "macs": macs_cost(space)(x)}
    return {**sizes, **scored([space.network(row) for row in x])}


def scored(networks: list[Network | None]) -> dict[str, Values]:
    """Every score by name, ``(n,)`` each."""
    return {
        name: np.array([UNREACHED if network is None else kind.score(network, 0) for network in networks])
        for name, kind in ZERO_COST.items()
    }


def report(name: str, values: Mapping[str, Values], accuracy: Values, samples: int) -> None:
    """Print a Markdown table with one row per score."""
    print(f"\n{name}: {len(accuracy)} networks, {accuracy.min():.1f} to {accuracy.max():.1f} %\n")
    print("| | Kendall tau | Spearman rho | tau, better half |\n|---|---|---|---|")
    for score, scores in values.items():
        cells = [
            spread(scores, accuracy, samples, statistic, better)
            for statistic, better in ((kendalltau, False), (spearmanr, False), (kendalltau, True))
        ]
        print(f"| {score} | {' | '.join(cells)} |", flush=True)


def spread(scores: Values, accuracy: Values, samples: int, statistic: Callable[..., object], better: bool) -> str:
    """Mean and standard deviation over disjoint samples."""
    found = []
    for part in np.array_split(np.arange(len(accuracy)), samples):
        kept = part[accuracy[part] >= np.median(accuracy[part])] if better else part
        found.append(float(statistic(scores[kept], accuracy[kept]).statistic))  # type: ignore[attr-defined]
    return f"{np.mean(found):.2f} ±{np.std(found):.2f}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
