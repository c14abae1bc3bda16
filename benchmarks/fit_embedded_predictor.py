"""Fit and score the accuracy predictor that ships for ``ofa_mbv3_w1.0``; write it and its model card.

    python -m benchmarks.fit_embedded_predictor            # about ten minutes on one core
    python -m benchmarks.fit_embedded_predictor --no-scores --out again.safetensors

With ``OMP_NUM_THREADS=1`` the same data give the same file, bit for bit, on the same machine. Measured data stay outside the
repository (``HWNAS_SHARED_DATA``, by default ``../shared/data``); the card names their origin.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import DATA
from hwnas.files import file_hash
from hwnas.io import read_archs, read_csv, read_metric
from hwnas.predictor import (
    GaussianProcess,
    Predictor,
    folds,
    load_predictor,
    new_predictor,
    save_predictor,
    score,
    subnet_groups,
)
from hwnas.space import Population, SearchSpace, get_space

SPACE = "ofa_mbv3_w1.0"
FILES = ("dynast_224.csv.gz", "multires_128_160_192.csv.gz")
EMBEDDED = Path(__file__).resolve().parent.parent / "hwnas" / "predictor" / "embedded"

NOISE_FULL, NOISE_SHARD = 0.02, 0.18
"""Standard deviations of one measurement in points: of repeats on 50,000 images, and of one subnet on a shard of 12,500 images,
beyond the shard's offset for all subnets (estimated by a Gaussian process at one resolution)."""

OFFSET_ROUNDS = 3


@dataclass(frozen=True)
class Measured:
    """Rows of both files; ``shard`` is -1 for the full validation set."""

    space: SearchSpace
    x: Population
    top1: NDArray[np.float64]
    shard: NDArray[np.int64]
    resolution: NDArray[np.int64]
    first_random: NDArray[np.bool_]

    @property
    def noise(self) -> NDArray[np.float64]:
        return np.where(self.shard < 0, NOISE_FULL, NOISE_SHARD)

    def part(self, mask: NDArray[np.bool_]) -> Measured:
        rows = (self.x[mask], self.top1[mask], self.shard[mask], self.resolution[mask], self.first_random[mask])
        return Measured(self.space, *rows)


def read(folder: Path) -> Measured:
    space = get_space(SPACE)
    frames = [read_csv(folder / name) for name in FILES]
    x = np.concatenate([read_archs(frame, space) for frame in frames])
    top1 = np.concatenate([read_metric(frame, "top1") for frame in frames])
    shard = np.concatenate([np.full(len(frames[0]), -1), frames[1]["eval_shard"].to_numpy(np.int64)])
    # Each search began with 50 random subnets, of which some are missing in this file.
    first = np.concatenate([frames[0]["order"].to_numpy(np.int64) < 50, np.zeros(len(frames[1]), bool)])
    resolution = np.array([int(v) for v in space.genes[-1].choices])[x[:, -1]]
    return Measured(space, x, top1, shard, resolution, first)


def shard_offsets(data: Measured) -> dict[tuple[int, int], float]:
    """Offset of each shard for all accuracies at one resolution; the four offsets of a resolution sum to zero.

    The shards partition the validation set, so the mean of their accuracies is the accuracy on the whole set. Found by
    alternating between a ridge regression and its mean residual on each shard.
    """
    offsets = dict.fromkeys(sorted({(int(r), int(s)) for r, s in zip(data.resolution, data.shard, strict=True)}), 0.0)
    for _ in range(OFFSET_ROUNDS):
        model = new_predictor("ridge", data.space).fit(data.x, data.top1 - of_rows(offsets, data), data.noise)
        residual = data.top1 - model.predict(data.x)
        means = {
            (r, s): float(residual[(data.resolution == r) & (data.shard == s)].mean()) for r, s in offsets if s >= 0
        }
        for r in sorted({r for r, _ in means}):
            centre = np.mean([v for (other, _), v in means.items() if other == r])
            offsets |= {(q, s): v - float(centre) for (q, s), v in means.items() if q == r}
    return offsets


def of_rows(offsets: dict[tuple[int, int], float], data: Measured) -> NDArray[np.float64]:
    return np.array([offsets[int(r), int(s)] for r, s in zip(data.resolution, data.shard, strict=True)])


def gaussian_process(space: SearchSpace) -> Predictor:
    return GaussianProcess(space, evidence_rows=1200)


def fitted(data: Measured, new: Callable[[SearchSpace], Predictor] = gaussian_process) -> tuple[Predictor, Any]:
    offsets = shard_offsets(data)
    return new(data.space).fit(data.x, data.top1 - of_rows(offsets, data), data.noise), offsets


def cross_validated(data: Measured, new: Callable[[SearchSpace], Predictor], k: int = 5) -> dict[str, Any]:
    """Scores at each resolution over folds grouped by subnet; the held-out rows are not used for the offsets either."""
    predicted, std, offset = (np.empty(len(data.x)) for _ in range(3))
    for held in folds(subnet_groups(data.space, data.x), k):
        model, offsets = fitted(data.part(~held), new)
        predicted[held], std[held] = model.predict(data.x[held]), model.predict_std(data.x[held])
        offset[held] = of_rows(offsets, data.part(held))
    with_noise = np.sqrt(std**2 + data.noise**2)
    rows: dict[str, Any] = {}
    for r in sorted(set(data.resolution.tolist())):
        at = data.resolution == r
        rows[str(r)] = {"raw": score(predicted[at], data.top1[at]).as_dict()}
        if (data.shard[at] >= 0).any():
            shifted = score(predicted[at] + offset[at], data.top1[at], with_noise[at])
            rows[str(r)]["shard_offset_removed"] = shifted.as_dict()
        else:
            rows[str(r)]["raw"] = score(predicted[at], data.top1[at], with_noise[at]).as_dict()
            random = at & data.first_random
            rows[str(r)]["random_subnets_only"] = score(predicted[random], data.top1[random]).as_dict()
    sharded = data.shard >= 0
    rows["128, 160, 192"] = {"raw": score(predicted[sharded], data.top1[sharded]).as_dict()}
    return rows


def extrapolated(data: Measured, new: Callable[[SearchSpace], Predictor]) -> dict[str, float]:
    """Scores after fitting to the searches' random starts (and the other resolutions), on the subnets they evaluated later."""
    searched = (data.shard < 0) & ~data.first_random
    started = set(map(bytes, data.x[data.first_random]))
    searched &= np.array([bytes(row) not in started for row in data.x])
    model, _ = fitted(data.part(~searched), new)
    return score(model.predict(data.x[searched]), data.top1[searched]).as_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "ofa_mbv3_w1.0_imagenet")
    parser.add_argument("--out", type=Path, default=EMBEDDED / f"{SPACE}.safetensors")
    parser.add_argument("--no-scores", action="store_true", help="take the scores of the file that ships")
    parser.add_argument("--compare", action="store_true", help="only print the scores of other kinds")
    args = parser.parse_args()
    data = read(args.data)
    if args.compare:
        for kind in ("ridge", "mlp"):
            print(kind, json.dumps(cross_validated(data, partial(new_predictor, kind)), indent=1), flush=True)
        return
    if args.no_scores:
        scores = dict(load_predictor(EMBEDDED / f"{SPACE}.safetensors", data.space).card.scores)
    else:
        scores = {
            "cross_validation": cross_validated(data, gaussian_process),
            "fitted_on_random_starts": extrapolated(data, gaussian_process),
        }
        print(json.dumps(scores, indent=1))
    model, offsets = fitted(data)
    files = [
        {"name": name, "sha256": file_hash(args.data / name), "rows": int(rows)}
        for name, rows in zip(FILES, ((data.shard < 0).sum(), (data.shard >= 0).sum()), strict=True)
    ]
    model.card = replace(
        model.card,
        data=files,
        scores=scores,
        notes="top-1 of inherited weights on ImageNet's 50,000 validation images; see the model card beside this file",
    )
    save_predictor(model, args.out)
    print({f"{r}/{s}": round(v, 3) for (r, s), v in offsets.items()})
    print(f"{args.out}: {args.out.stat().st_size} bytes, sha256 {file_hash(args.out)}")


if __name__ == "__main__":
    main()
