"""Pretrained supernets in torch: weights in, subnets with inherited weights out.

Names load on first use, because fetching a checkpoint or reading a header needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.lazy import lazily

if TYPE_CHECKING:
    from hwnas.supernet._activity import by_activity
    from hwnas.supernet._agreement import Agreement, Batches, Blamed, agreement, most_lossy
    from hwnas.supernet._answers import MeasuredAnswers, answer
    from hwnas.supernet._base import Supernet, centre
    from hwnas.supernet._calibration import BatchNormMode, Calibration
    from hwnas.supernet._checkpoint import checkpoint_file
    from hwnas.supernet._download import PUBLISHED, download
    from hwnas.supernet._evaluate import Accuracy, calibrated, evaluate, measure_accuracy
    from hwnas.supernet._execute import forward
    from hwnas.supernet._export import export_onnx, needs_ranges, onnx_accuracy, onnx_model, save_onnx
    from hwnas.supernet._family import brought_data
    from hwnas.supernet._header import described
    from hwnas.supernet._lessons import lessons, taught
    from hwnas.supernet._measured_accuracy import MeasuredAccuracy, accuracy_journal_identity, all_failed
    from hwnas.supernet._recipe import Recipe
    from hwnas.supernet._reference import KINDS, ReferenceKind, reference_kind
    from hwnas.supernet._registry import (
        get_supernet,
        load_supernet,
        measured_by,
        random_supernet,
        supernet_names,
    )
    from hwnas.supernet._replacement import Batch, Moved, first_replaced, parent_row, replacements
    from hwnas.supernet._sensitivity import sensitivity
    from hwnas.supernet._subnet import Subnet, folded_weights, recalibrate
    from hwnas.supernet._units import Units
    from hwnas.supernet.engine import Engine, get_engine
    from hwnas.supernet.ops import Pass, folded, run
    from hwnas.supernet.train import Team, Trainer, TrainSettings, extremes


__all__ = [
    "KINDS",
    "PUBLISHED",
    "Accuracy",
    "Agreement",
    "Batch",
    "BatchNormMode",
    "Batches",
    "Blamed",
    "Calibration",
    "Engine",
    "MeasuredAccuracy",
    "MeasuredAnswers",
    "Moved",
    "Pass",
    "Recipe",
    "ReferenceKind",
    "Subnet",
    "Supernet",
    "Team",
    "TrainSettings",
    "Trainer",
    "Units",
    "accuracy_journal_identity",
    "agreement",
    "all_failed",
    "answer",
    "brought_data",
    "by_activity",
    "calibrated",
    "centre",
    "checkpoint_file",
    "described",
    "download",
    "evaluate",
    "export_onnx",
    "extremes",
    "first_replaced",
    "folded",
    "folded_weights",
    "forward",
    "get_engine",
    "get_supernet",
    "lessons",
    "load_supernet",
    "measure_accuracy",
    "measured_by",
    "most_lossy",
    "needs_ranges",
    "onnx_accuracy",
    "onnx_model",
    "parent_row",
    "random_supernet",
    "recalibrate",
    "reference_kind",
    "replacements",
    "run",
    "save_onnx",
    "sensitivity",
    "supernet_names",
    "taught",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "hwnas.supernet._activity": "by_activity",
        "hwnas.supernet._agreement": "Agreement Batches Blamed agreement most_lossy",
        "hwnas.supernet._answers": "MeasuredAnswers answer",
        "hwnas.supernet._base": "Supernet centre",
        "hwnas.supernet._calibration": "BatchNormMode Calibration",
        "hwnas.supernet._checkpoint": "checkpoint_file",
        "hwnas.supernet._download": "PUBLISHED download",
        "hwnas.supernet._evaluate": "Accuracy calibrated evaluate measure_accuracy",
        "hwnas.supernet._execute": "forward",
        "hwnas.supernet._export": "export_onnx needs_ranges onnx_accuracy onnx_model save_onnx",
        "hwnas.supernet._family": "brought_data",
        "hwnas.supernet._header": "described",
        "hwnas.supernet._lessons": "lessons taught",
        "hwnas.supernet._measured_accuracy": "MeasuredAccuracy accuracy_journal_identity all_failed",
        "hwnas.supernet._recipe": "Recipe",
        "hwnas.supernet._reference": "KINDS ReferenceKind reference_kind",
        "hwnas.supernet._registry": "get_supernet load_supernet measured_by random_supernet supernet_names",
        "hwnas.supernet._replacement": "Batch Moved first_replaced parent_row replacements",
        "hwnas.supernet._sensitivity": "sensitivity",
        "hwnas.supernet._units": "Units",
        "hwnas.supernet._subnet": "Subnet folded_weights recalibrate",
        "hwnas.supernet.engine": "Engine get_engine",
        "hwnas.supernet.ops": "Pass folded run",
        "hwnas.supernet.train": "Team Trainer TrainSettings extremes",
    },
)
