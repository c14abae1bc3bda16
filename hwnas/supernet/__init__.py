"""Pretrained supernets in torch: weights in, subnets with inherited weights out."""

from __future__ import annotations

from hwnas.space import Network
from hwnas.supernet._agreement import Agreement, Batches, Blamed, agreement, most_lossy
from hwnas.supernet._base import Supernet, centre
from hwnas.supernet._calibration import BatchNormMode, Calibration
from hwnas.supernet._download import download
from hwnas.supernet._evaluate import Accuracy, Evaluator, calibrated, evaluate, journal_identity, measure_accuracy
from hwnas.supernet._execute import Inputs, forward
from hwnas.supernet._export import export_onnx, onnx_accuracy, onnx_model, save_onnx
from hwnas.supernet._registry import get_supernet, load_supernet, supernet_names
from hwnas.supernet._subnet import Subnet, folded_weights, recalibrate
from hwnas.supernet.ops import Pass, folded, run
from hwnas.supernet.train import Trainer, TrainSettings, extremes, schedule_names

__all__ = [
    "Accuracy",
    "Agreement",
    "BatchNormMode",
    "Batches",
    "Blamed",
    "Calibration",
    "Evaluator",
    "Inputs",
    "Network",
    "Pass",
    "Subnet",
    "Supernet",
    "TrainSettings",
    "Trainer",
    "agreement",
    "calibrated",
    "centre",
    "download",
    "evaluate",
    "export_onnx",
    "extremes",
    "folded",
    "folded_weights",
    "forward",
    "get_supernet",
    "journal_identity",
    "load_supernet",
    "measure_accuracy",
    "most_lossy",
    "onnx_accuracy",
    "onnx_model",
    "recalibrate",
    "run",
    "save_onnx",
    "schedule_names",
    "supernet_names",
]
