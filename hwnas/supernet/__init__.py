"""Pretrained supernets in torch: weights in, subnets with inherited weights out."""

from __future__ import annotations

from hwnas.supernet._base import Supernet, centre
from hwnas.supernet._execute import BatchNormMode, Calibration, Network, forward
from hwnas.supernet._registry import get_supernet, load_supernet, supernet_names
from hwnas.supernet._subnet import Subnet, folded_weights, recalibrate

__all__ = [
    "BatchNormMode",
    "Calibration",
    "Network",
    "Subnet",
    "Supernet",
    "centre",
    "folded_weights",
    "forward",
    "get_supernet",
    "load_supernet",
    "recalibrate",
    "supernet_names",
]
