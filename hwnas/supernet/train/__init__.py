"""Training of supernets: all subnets at once, in shared weights."""

from __future__ import annotations

from hwnas.supernet.train._device import training_device, training_precision
from hwnas.supernet.train._schedule import extremes
from hwnas.supernet.train._settings import TrainSettings
from hwnas.supernet.train._team import (
    ALONE,
    MISSING,
    PeerLostError,
    Team,
    hosted,
    joined,
    joined_by_torchrun,
    under_torchrun,
)
from hwnas.supernet.train._trainer import Trainer

__all__ = [
    "ALONE",
    "MISSING",
    "PeerLostError",
    "Team",
    "TrainSettings",
    "Trainer",
    "extremes",
    "hosted",
    "joined",
    "joined_by_torchrun",
    "training_device",
    "training_precision",
    "under_torchrun",
]
