"""A metric of your own: searches accuracy against the energy of a subnet.

Energy is a sum over layers, so a search needs only a table of energy by layer key. Here the table comes from a model: 4.6 pJ per
multiply-accumulate in 32 bits, and 640 pJ per weight fetched from memory (Horowitz, ISSCC 2014, 45 nm). If you have measured
energies, write them in the same two columns.

    python examples/own_metric.py
"""

from __future__ import annotations

import pandas as pd

import hwnas
from hwnas.space import get_space

PJ_PER_MAC, PJ_PER_WEIGHT = 4.6, 640.0
RESOLUTIONS = [192, 224]


def energy_table() -> pd.DataFrame:
    """Columns ``key`` and ``energy_mj``: millijoules of one image, by layer."""
    layers = get_space("ofa_mbv3_w1.0").restrict(r=RESOLUTIONS).layers().values()
    picojoules = {layer.key: layer.macs * PJ_PER_MAC + layer.params * PJ_PER_WEIGHT for layer in layers}
    return pd.DataFrame({"key": picojoules.keys(), "energy_mj": [pj / 1e9 for pj in picojoules.values()]})


if __name__ == "__main__":
    energy_table().to_csv("energy.csv", index=False)
    study = hwnas.Study(
        "ofa_mbv3_w1.0",
        objectives=["top1", "energy_mj:min"],
        budgets={"energy_mj": 5.0},
        fix={"r": RESOLUTIONS},
        costs=["energy.csv"],
    )
    front = study.search(seed=0)
    front.save("energy_front.csv")
    best = front.best(energy_mj=4.0)
    print(f"{len(front)} subnets; within 4 mJ: {best['top1']:.2f} % at {best['energy_mj']:.2f} mJ")
