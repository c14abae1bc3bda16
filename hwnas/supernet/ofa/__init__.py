"""Once-for-All's published supernets (Cai et al. 2020, arXiv:1908.09791)."""

from __future__ import annotations

from hwnas.supernet.ofa._mobilenet import OFAMobileNetV3W10, OFAMobileNetV3W12, OFAProxylessW13
from hwnas.supernet.ofa._resnet50 import OFAResNet50

__all__ = ["OFAMobileNetV3W10", "OFAMobileNetV3W12", "OFAProxylessW13", "OFAResNet50"]
