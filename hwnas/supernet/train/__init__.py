"""Training supernets: every subnet at once, in shared weights."""

from __future__ import annotations

from hwnas.supernet.train._schedule import extremes, schedule_names
from hwnas.supernet.train._trainer import Trainer, TrainSettings

__all__ = ["TrainSettings", "Trainer", "extremes", "schedule_names"]
