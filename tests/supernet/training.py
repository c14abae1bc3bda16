"""Training in tests: whole runs, and runs that are cut off like a kill would."""

from __future__ import annotations

from pathlib import Path

from hwnas.supernet import Supernet, Trainer, TrainSettings
from hwnas.task import TrainingTask


def train(
    net: Supernet, data: TrainingTask, settings: TrainSettings, state: Path | None = None, steps: int | None = None
) -> Supernet:
    """``net`` after a run, or after its first ``steps`` steps."""

    def cut(step: int, _loss: float) -> None:
        if step == steps:
            raise KeyboardInterrupt

    try:
        Trainer(net, data, settings, state, save_every=2).run(cut)
    except KeyboardInterrupt:
        assert steps is not None
    return net
