"""Paired comparison: test samples that a subnet gets right and the original, fine-tuned alone, gets wrong, and the reverse.

The variance of a difference of two accuracies on the same samples comes only from the samples on which they disagree, so it is much
smaller than that of each accuracy. McNemar's exact test gives the probability of such a difference by chance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from benchmarks.own_networks._run import Run
from hwnas.space import Arch
from hwnas.supernet import extremes, get_engine, load_supernet
from hwnas.task import SelectiveTask, margins


def paired(run: Run) -> None:
    """Compare the largest subnet and the whole searched front with plain fine-tuning."""
    original = right(run, "plain", None)
    known = {(entry["of"], entry["network"]) for entry in run.entries(study="paired")}
    for kind in ("extremes", "searched"):
        for entry in run.entries(kind=kind):
            if (kind, entry["shown"]) in known:
                continue
            own = right(run, "supernet", entry["arch"])
            won, lost = int((own & ~original).sum()), int((original & ~own).sum())
            run.record(study="paired", of=kind, network=entry["shown"], won=won, lost=lost, samples=len(own))


def right(run: Run, name: str, arch: Arch | None) -> NDArray[np.bool_]:
    """``(n,)``: whether a subnet of a trained network (by default the largest) classifies each test sample correctly."""
    net = load_supernet(str(run.folder / f"{name}.safetensors"))
    data = run.data_of(net, "test")
    assert isinstance(data, SelectiveTask)
    subnet = net.extract(net.space.encode(arch) if arch is not None else extremes(net.space)[1])
    engine = get_engine()
    if subnet.has_statistics:
        engine.recalibrate(subnet, data.calibration(subnet.inputs))
    samples = np.arange(data.n_validation)
    return margins(data, subnet.inputs, engine.runner(subnet, lambda: data.calibration(subnet.inputs)), samples) > 0


def difference(won: int, lost: int, samples: int) -> tuple[float, float, float]:
    """Difference in points, its standard error, and the p-value of McNemar's exact test."""
    error = np.sqrt(won + lost - (won - lost) ** 2 / samples) / samples
    chance = binomtest(won, won + lost).pvalue if won + lost else 1.0
    return 100 * (won - lost) / samples, 100 * float(error), float(chance)
