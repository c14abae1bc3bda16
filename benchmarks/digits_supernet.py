"""Subnets with inherited weights against the same subnets trained alone.

    python -m benchmarks.digits_supernet [--checkpoint F] [--subnets 16] [--seeds 2] [--card]

Trains every chosen subnet alone, with the trainer and the number of epochs of the supernet, and prints both accuracies and their
rank correlation. 600 validation images are few, so both accuracies are means over four distortions of each image. Finished
trainings are kept in a journal: the same command resumes.
``--card`` writes the result into the model card of the shipped checkpoint.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from scipy.stats import kendalltau, spearmanr

from hwnas.io import Journal
from hwnas.space import Population, SearchSpace, get_space, macs_cost, params_cost
from hwnas.supernet import Accuracy, Supernet, Trainer, TrainSettings, evaluate, extremes
from hwnas.supernet.digits import Digits
from hwnas.task import DigitsData

EMBEDDED = Path(__file__).parent.parent / "hwnas" / "supernet" / "embedded"
PRECISE = DigitsData(views=4)
START, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def chosen_subnets(space: SearchSpace, n: int) -> Population:
    """``(n, g)``: the smallest and the largest subnet, and random subnets at evenly spaced log MACs between them."""
    macs = macs_cost(space)
    smallest, largest = extremes(space)
    pool = np.unique(space.sample(4000, np.random.default_rng(0), distinct_uniform=False), axis=0)
    targets = np.geomspace(macs(smallest[None])[0], macs(largest[None])[0], n)[1:-1]
    nearest = [int(np.abs(np.log(macs(pool) / target)).argmin()) for target in targets]
    return np.concatenate([smallest[None], pool[nearest], largest[None]])


def train_alone(row: Sequence[int], epochs: int, seed: int) -> Accuracy:
    """Accuracy of a subnet trained from scratch, as a supernet that contains only this subnet."""
    space = get_space("digits")
    fixed = {gene.name: gene.choices[choice] for gene, choice in zip(space.genes, row, strict=True)}

    class OneSubnet(Digits):
        @classmethod
        def search_space(cls) -> SearchSpace:
            return space.restrict(**fixed)

    net = OneSubnet.random(seed)
    Trainer(net, PRECISE, TrainSettings(epochs=epochs, seed=seed, schedule="alone")).run()
    return evaluate(net, extremes(net.space)[1], PRECISE)


def alone_accuracies(rows: Population, epochs: int, seeds: int, journal_path: Path, jobs: int) -> NDArray[np.float64]:
    """``(n, seeds)`` top-1 accuracies (%) of subnets trained alone."""
    with Journal(journal_path, {"kind": "digits trained alone", "epochs": epochs}) as journal:
        known = {(tuple(e["row"]), e["seed"]): e["top1"] for e in journal.entries}
        wanted = [(tuple(row.tolist()), seed) for seed in range(seeds) for row in rows]
        pending = [key for key in wanted if key not in known]
        with ProcessPoolExecutor(jobs, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            futures = [(key, pool.submit(train_alone, key[0], epochs, key[1])) for key in pending]
            for done, (key, future) in enumerate(futures):
                known[key] = future.result().value
                journal.append({"row": key[0], "seed": key[1], "top1": known[key]})
                print(f"trained alone: {done + 1} of {len(futures)}: {known[key]:.2f} %", flush=True)
    return np.array([[known[tuple(row.tolist()), seed] for seed in range(seeds)] for row in rows])


def report(supernet: Supernet, rows: Population, alone: NDArray[np.float64], epochs: int) -> str:
    """Markdown: a row per subnet, then the correlations."""
    space = supernet.space
    as_users = [evaluate(supernet, row, Digits.data()).value for row in rows]
    inherited = np.array([evaluate(supernet, row, PRECISE).value for row in rows])
    macs, params, mean = macs_cost(space)(rows), params_cost(space)(rows), alone.mean(axis=1)
    names = {0: "smallest", len(rows) // 2: "median", len(rows) - 1: "largest"}
    lines = [
        "| subnet | MACs | parameters | `hwnas evaluate` | inherited, 4 views | alone, 4 views (each seed) | difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for i in range(len(rows)):
        each = ", ".join(f"{value:.2f}" for value in alone[i])
        lines.append(
            f"| {names.get(i, '')} | {macs[i]:,.0f} | {params[i]:,.0f} | {as_users[i]:.2f} | {inherited[i]:.2f} | "
            f"{mean[i]:.2f} ({each}) | {inherited[i] - mean[i]:+.2f} |"
        )
    tau, rho = kendalltau(inherited, mean).statistic, spearmanr(inherited, mean).statistic
    lines += [
        "",
        f"{len(rows)} subnets, {alone.shape[1]} seeds alone, {epochs} epochs each. Rank correlation of inherited",
        f"and stand-alone accuracy: Kendall tau {tau:.3f}, Spearman rho {rho:.3f}.",
        f"Mean difference (inherited minus alone) {np.mean(inherited - mean):+.2f} points.",
    ]
    if alone.shape[1] > 1:
        seeds_tau = kendalltau(alone[:, 0], alone[:, 1]).statistic
        lines.append(
            f"For scale: two seeds of stand-alone training agree to Kendall tau {seeds_tau:.3f}, and one subnet's "
            f"accuracy varies by {alone.std(axis=1, ddof=1).mean():.2f} points (standard deviation) from seed to seed."
        )
    return "\n".join(lines)


def write_card(text: str) -> None:
    card = EMBEDDED / "digits.md"
    before, _, rest = card.read_text().partition(START)
    card.write_text(f"{before}{START}\n{text}\n{END}{rest.partition(END)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=EMBEDDED / "digits.safetensors")
    parser.add_argument("--subnets", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--journal", type=Path, default=Path("digits_alone.jsonl"))
    parser.add_argument("--card", action="store_true", help="write the result into the model card")
    options = parser.parse_args()
    epochs = settings_of(options.checkpoint)["epochs"]
    rows = chosen_subnets(get_space("digits"), options.subnets)
    alone = alone_accuracies(rows, epochs, options.seeds, options.journal, options.jobs)
    text = report(Digits.from_checkpoint(options.checkpoint), rows, alone, epochs)
    print(text)
    if options.card:
        write_card(text)


def settings_of(checkpoint: Path) -> dict[str, Any]:
    with safe_open(checkpoint, "pt") as file:
        settings: dict[str, Any] = json.loads(file.metadata()["training"])["settings"]
    return settings


if __name__ == "__main__":
    main()
